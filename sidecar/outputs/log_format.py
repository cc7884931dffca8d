"""Log lines on standard error, as text or as JSON."""

import logging
import sys

from sidecar.core.views.json_text import encode_json
from sidecar.core.views.text import escape, timestamp


def configure(log_format: str, level: str) -> None:
    """Send every log line to standard error, as `text` or `json`; `level` is the lowest shown."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if log_format == "json" else _Text())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("sidecar").setLevel(level.upper())


def _line(record: logging.LogRecord) -> str:
    """Return the message on one line, with the exception but without its traceback."""
    text = record.getMessage()
    if record.exc_info and record.exc_info[1] is not None:
        error = record.exc_info[1]
        text += f": {type(error).__name__}: {error}"
    return escape(" ".join(text.split()))


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return f"{timestamp(record.created)} {record.levelname.lower()} {_line(record)}"


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        facts = {
            "time": timestamp(record.created),
            "level": record.levelname.lower(),
            "message": _line(record),
            **getattr(record, "facts", {}),
        }
        return encode_json(facts).decode()

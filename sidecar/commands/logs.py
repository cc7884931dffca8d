"""Log lines on standard error, as text or as JSON."""

import logging
import sys

import msgspec

from sidecar.core.document import timestamp
from sidecar.settings import Settings


def configure(settings: Settings) -> None:
    """Send every log line to standard error, in the format of the settings."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if settings.log_format == "json" else _Text())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("sidecar").setLevel(settings.log_level.upper())


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = " ".join(record.getMessage().split())
        return f"{timestamp(record.created)} {record.levelname.lower()} {line}"


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        facts = {
            "time": timestamp(record.created),
            "level": record.levelname.lower(),
            "message": " ".join(record.getMessage().split()),
            **getattr(record, "facts", {}),
        }
        return msgspec.json.encode(facts).decode()

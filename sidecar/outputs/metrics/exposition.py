"""Write one metric as Prometheus reads it: in its text format, or in OpenMetrics.

prometheus.io/docs/instrumenting/exposition_formats and prometheus/OpenMetrics, v1.0. Not by
prometheus_client, which every pod would pay for: with it come an HTTP server and a client,
3 MiB, and each scrape after a look takes the event loop four times as long. The tests read
with prometheus_client and with promtool what is written here.
"""

import re
from collections.abc import Iterable
from typing import Final

from sidecar.outputs.metrics.definitions import PREFIX, Kind, Measure

TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"
OPEN_METRICS: Final = "application/openmetrics-text; version=1.0.0; charset=utf-8"

REFUSED: Final = re.compile(r";\s*q=0(\.0*)?\s*(;|$)")

END: Final = {TEXT: b"", OPEN_METRICS: b"# EOF\n"}

SUFFIX: Final = {Kind.COUNTER: "_total", Kind.INFO: "_info"}
"""What the samples of these kinds are called besides; the text format calls the whole so."""

Sample = tuple[str, tuple[str, ...], float]
"""A suffix of the name, the labels' values, the value."""


def chosen(accept: str) -> str:
    """Return the content type for a scrape with this Accept header."""
    parts = (part for part in accept.split(",") if not REFUSED.search(part))
    media = (part.partition(";")[0].strip() for part in parts)
    return OPEN_METRICS if "application/openmetrics-text" in media else TEXT


def written(name: str, measure: Measure, samples: Iterable[Sample], content_type: str) -> bytes:
    """Return a metric with its samples; `name` is without prefix and suffix."""
    suffix = SUFFIX.get(measure.kind, "")
    family = (PREFIX + name).removesuffix(suffix)
    kind, told = str(measure.kind), family
    meaning = measure.meaning.replace("\\", r"\\").replace("\n", r"\n")
    if content_type == TEXT:
        told = family + suffix
        kind = Kind.GAUGE if measure.kind is Kind.INFO else kind
    else:
        meaning = meaning.replace('"', r"\"")
    lines = [f"# HELP {told} {meaning}\n# TYPE {told} {kind}\n"]
    names = (*measure.labels, "le")  # The last one is a bucket's; others have no value for it.
    for part, values, value in samples:
        named = sorted(zip(names, values, strict=False))
        labels = ",".join(f'{label}="{_escaped(text)}"' for label, text in named)
        braced = f"{{{labels}}}" if labels else ""
        lines.append(f"{family}{part or suffix}{braced} {float(value)!r}\n")
    return "".join(lines).encode()


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")

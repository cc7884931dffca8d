"""What HTTP adds to the answers: content negotiation, and that none depends on another."""

import zlib
from functools import partial

import pytest
from aiohttp.test_utils import make_mocked_request
from msgspec.structs import replace

from factories import snapshot, status
from sidecar.core.gate.state import PollResult
from sidecar.core.migrations.compare import Outcome
from sidecar.core.views.documents import status_document
from sidecar.outputs.failures import OutputFailures
from sidecar.outputs.http.app import Endpoints, accepts_gzip, compress
from sidecar.outputs.metrics.metrics import Metrics


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        ("", False),
        ("gzip", True),
        ("gzip, deflate, br", True),
        ("deflate, gzip;q=0.5", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000, deflate", False),
        ("identity", False),
        ("x-gzip-like", False),
    ],
)
def test_gzip_is_for_whoever_accepts_it(header: str, accepted: bool) -> None:  # noqa: FBT001
    """A quality of zero is a refusal (RFC 9110, 12.4.2)."""
    assert accepts_gzip(header) is accepted


def test_compressed_is_gzip() -> None:
    """Any client can unpack it."""
    body = b"django_schema_ready 1.0\n" * 100
    assert zlib.decompress(compress(body), wbits=zlib.MAX_WBITS | 16) == body


def test_an_answer_that_cannot_be_rendered_stops_no_other() -> None:
    """Probes answer as the gate is; the failure is counted, which the metrics show."""
    metrics = Metrics("0.1.0")
    current = snapshot([status("shop.0001")], PollResult(at=1.0, outcome=Outcome.CURRENT))
    metrics.announce(current)
    endpoints = Endpoints(
        replace(current, databases=(None,)),
        is_alive=lambda: True,
        render_metrics=metrics.render,
        render_status=partial(status_document, nodes={}),
        page=(b"page", {}),
        report_failure=OutputFailures(metrics.count_failure).report,
    )
    answers = {**endpoints.probes(), **endpoints.details()}

    def ask(target: str) -> tuple[int, bytes]:
        answer = answers[target.partition("?")[0]](make_mocked_request("GET", target))
        assert isinstance(answer.body, bytes)
        return answer.status, answer.body

    assert ask("/status") == (500, b"internal error; the log has it\n")
    assert ask("/readyz?verbose") == (200, b"schema_current\n")
    assert [ask(path)[0] for path in ("/readyz", "/startupz", "/livez", "/")] == [200] * 4
    _, body = ask("/metrics")
    assert b'django_schema_output_errors_total{output="readyz"} 1.0' in body
    assert b'django_schema_output_errors_total{output="status"} 1.0' in body

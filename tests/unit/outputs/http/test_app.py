"""What HTTP adds to the answers: content negotiation."""

import zlib

import pytest

from sidecar.outputs.http.app import accepts_gzip, compress


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

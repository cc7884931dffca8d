"""JSON that controls no terminal."""

import json

from sidecar.core.views.json_text import encode_json


def test_what_is_not_printable_is_escaped_and_means_the_same() -> None:
    """Control characters, directions of writing, and what lies beyond 16 bits."""
    document = {"name": "\x1b[31m\u009b\u202e\U000e0001 ü ☃"}
    text = encode_json(document).decode()
    assert text.isprintable()
    assert "ü ☃" in text
    assert json.loads(text) == document


def test_what_is_printable_is_left_as_it_is() -> None:
    """UTF-8, and no more bytes than needed."""
    assert encode_json({"name": "ü"}) == '{"name":"ü"}'.encode()

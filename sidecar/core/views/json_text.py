"""Documents as JSON that controls no terminal: `curl /status` is read on one, too."""

import json

import msgspec


def encode_json(document: object) -> bytes:
    r"""Return the document as JSON on one line, with what is not printable as `\uXXXX`."""
    text = msgspec.json.encode(document).decode()
    if not text.isprintable():
        text = "".join(each if each.isprintable() else json.dumps(each)[1:-1] for each in text)
    return text.encode()

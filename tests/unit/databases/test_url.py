"""Database URLs, taken apart."""

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.databases.url import split_url

PIECES = ("postgres", "SQLite3", "1", "a+b", "u", "p%40", ":", "/", "//", "?", "#", "@", ",", "=")


@given(st.lists(st.sampled_from((*PIECES, " ", "\t", "\n", "\x1f", "%", "&", "é"))).map("".join))
def test_a_url_without_brackets_is_taken_apart_as_the_standard_library_does(url: str) -> None:
    """Scheme, authority, path, query and fragment."""
    assert split_url(url) == urlsplit(url)


@pytest.mark.parametrize("login", ["u:[", "u:]", "u:p[x]y", "u:[::1]", "[u]:[v1.x]", "u:\u2100"])
def test_what_the_standard_library_refuses_is_kept(login: str) -> None:
    """A password may hold any character."""
    assert split_url(f"mysql://{login}@h:1/db?a=b").netloc == f"{login}@h:1"

"""Checks that the database URLs of several systems share."""

import pytest

from sidecar.databases.dsn_text import is_port, make_parameter_error


def test_a_port_is_a_decimal_number_of_16_bits() -> None:
    """Only ASCII digits count, although Python reads others too."""
    texts = ["1", "65535", "0", "65536", "", "-1", "5432x", "\u0663"]
    assert [text for text in texts if is_port(text)] == ["1", "65535"]


@pytest.mark.parametrize("name", ["ssl-mod", "ssl_mod", "SSL-MOD"])
def test_an_unknown_parameter_is_refused_with_the_one_most_like_it(name: str) -> None:
    """In any case, and with either spelling of the hyphen."""
    error = make_parameter_error(name, ["host", "ssl-mode"], hidden=False)
    expected = f"the database URL has an unknown parameter {name!r}; did you mean ssl-mode?"
    assert str(error) == expected


def test_a_parameter_that_may_be_part_of_a_password_is_not_repeated() -> None:
    """What follows an unencoded & belongs to the password."""
    error = make_parameter_error("hunter2", ["host"], hidden=True)
    assert "hunter2" not in str(error)
    assert "percent-encode" in str(error)

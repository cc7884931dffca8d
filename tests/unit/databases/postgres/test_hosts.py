"""Which servers a URL names, compared with libpq itself where it reads the same."""

import pytest
from psycopg.conninfo import conninfo_to_dict

from sidecar.databases.postgres.dsn import to_libpq
from sidecar.databases.postgres.hosts import Host, parse_hosts
from sidecar.errors import UsageError


@pytest.mark.parametrize(
    ("url", "environment", "hosts"),
    [
        ("postgresql://u:p@h1:1,h2,[::1]:3/db", {}, [Host("h1", 1), Host("h2"), Host("::1", 3)]),
        ("postgresql://[::1]/db", {}, [Host("::1")]),
        ("postgresql://%2Frun%2Fpg/db", {}, [Host("/run/pg")]),
        ("postgresql:///db?host=/run/pg", {}, [Host("/run/pg")]),
        ("postgresql:///db?host=h1,h2&port=1,2", {}, [Host("h1", 1), Host("h2", 2)]),
        ("postgresql:///db?host=h1,h2&port=1", {}, [Host("h1", 1), Host("h2", 1)]),
        ("postgresql://u@:1/db?host=h", {}, [Host("h", 1)]),
        ("postgresql://u@h:/db", {"PGPORT": "9"}, [Host("h", 9)]),
        ("postgresql://", {}, [Host()]),
        ("postgresql://", {"PGPORT": "9"}, [Host(None, 9)]),
        ("postgresql://", {"PGHOST": "h1,h2", "PGPORT": "9"}, [Host("h1", 9), Host("h2", 9)]),
        ("postgresql://h/db?hostaddr=127.0.0.9", {}, [Host("h", None, "127.0.0.9")]),
        ("postgresql://h/db", {"PGHOSTADDR": "127.0.0.9"}, [Host("h", None, "127.0.0.9")]),
        ("postgresql:///db?hostaddr=::1&port=1", {}, [Host("::1", 1, "::1")]),
        ("postgresql:///db?host=/run&hostaddr=::1", {}, [Host("::1", None, "::1")]),
    ],
)
def test_every_server_is_found_where_libpq_would_find_it(
    url: str, environment: dict[str, str], hosts: list[Host]
) -> None:
    """In the address, in the query, or in a variable; each gets its own time to answer."""
    assert parse_hosts(to_libpq(url), environment) == hosts


def test_libpq_reads_the_same_from_a_port_without_a_host() -> None:
    """The host may stand in the query alone."""
    theirs = conninfo_to_dict("postgresql://u@:1/db?host=h")
    assert (theirs["host"], str(theirs["port"])) == ("h", "1")


def test_a_port_of_the_environment_must_be_a_number() -> None:
    """The error repeats nothing, since it may be a misplaced password."""
    with pytest.raises(UsageError, match="no number"):
        parse_hosts("postgresql://h/db", {"PGPORT": "secret"})

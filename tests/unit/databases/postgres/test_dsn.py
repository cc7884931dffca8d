"""Database URLs as Django people write them."""

from urllib.parse import unquote, urlsplit

import pytest
from psycopg.conninfo import conninfo_to_dict

from sidecar.databases.base import Address, connect
from sidecar.databases.postgres.dsn import format_place, parse_hosts, to_libpq
from sidecar.errors import UsageError

SECRET = "hunter2"  # noqa: S105 - the canary that no message may show


@pytest.mark.parametrize(
    ("url", "libpq"),
    [
        ("postgres://u:p@h:5433/db", "postgresql://u:p@h:5433/db"),
        ("postgis://h/db", "postgresql://h/db"),
        ("postgres://h/db?conn_max_age=600&sslmode=require", "postgresql://h/db?sslmode=require"),
        ("postgres://h/db?CONN_MAX_AGE=600", "postgresql://h/db"),
        ("postgres://h/db?currentSchema=x", "postgresql://h/db?options=-csearch_path%3Dx"),
        ("postgres://u:p%40%2F@h1:1,h2:2/db?target_session_attrs=read-write",
         "postgresql://u:p%40%2F@h1:1,h2:2/db?target_session_attrs=read-write"),
        ("postgres://%2Frun%2Fpg/db", "postgresql://%2Frun%2Fpg/db"),
        ("postgres:///db?host=/run/pg", "postgresql:///db?host=%2Frun%2Fpg"),
        ("postgres://[::1]:5432/db", "postgresql://%5B::1%5D:5432/db"),
        ("postgres://[::1]/db", "postgresql://%5B::1%5D/db"),
        ("postgres://u:p[]x@h/db", "postgresql://u:p%5B%5Dx@h/db"),
    ],
)  # fmt: skip
def test_keeps_parameters_of_libpq_and_drops_those_of_django(url: str, libpq: str) -> None:
    """Parameters of Django and its pools are ignored; libpq's are kept."""
    assert to_libpq(url) == libpq


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:p@127.0.0.1:9,[::1]:9/db",
        "postgresql://u:p@[::1]:9,[fe80::1%25lo],127.0.0.1:8/db",
        "postgresql://u:[@h/db",
        "postgresql://u:p]x[y@h:5433/db",
        "postgresql://[u]:p[::1]@[::2]:5433/db",
        "postgresql://u:\u2100\uff0f\uff20@h/db",
    ],
)
def test_brackets_are_taken_as_libpq_takes_them(url: str) -> None:
    """Several hosts and a password, the same on every Python; asyncpg is given what it can read."""
    theirs = conninfo_to_dict(url)
    libpq = to_libpq(url)
    user, _, password = urlsplit(libpq).netloc.rpartition("@")[0].partition(":")
    assert (unquote(user), unquote(password)) == (theirs["user"], theirs["password"])
    ports = [int(port) if port else None for port in str(theirs.get("port", "")).split(",")]
    assert parse_hosts(libpq, None, None) == [
        *zip(str(theirs["host"]).split(","), ports, strict=True)
    ]
    assert not set(urlsplit(libpq).netloc) & set("[]")


def test_options_of_the_environment_yield_to_the_url() -> None:
    """PGOPTIONS counts where the URL has no options of its own."""
    assert "options=-cx" in to_libpq("postgres://h/db", "-cx")
    assert "-cx" not in to_libpq("postgres://h/db?options=-cy", "-cx")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (f"postgres://u:{SECRET}#1@h/db", "has a '#'"),
        (f"postgres://u:{SECRET}/1@h/db", "a port that is no number"),
        (f"postgres://u:{SECRET}@h:port/db", "a port that is no number"),
        (f"postgres://u:{SECRET}@h:99999/db", "a port that is no number"),
        (f"postgres://u:{SECRET}@h/db?sslmod=x", "'sslmod'; did you mean sslmode?"),
        (f"postgres://u:{SECRET}@h/db?x=1", "unknown parameter 'x'"),
        (f"oracle://u:{SECRET}@h/db", "has the scheme 'oracle'; known are postgres"),
        (f"u:{SECRET}@h/db", "has no scheme"),
        (SECRET, "has no scheme"),
        ("postgres://[::1/db", "is a bracket missing?"),
        ("postgres://h,[::1/db", "is a bracket missing?"),
        ("postgres://u:p@h,::1]:5/db", "is a bracket missing?"),
        ("postgres://[]/db", "is a bracket missing?"),
        ("postgres://[::1]x:5/db", "is a bracket missing?"),
        (f"postgres://u:{SECRET}[@[::1/db", "is a bracket missing?"),
        ("postgres:///db?host=h&port=x", "a port that is no number"),
    ],
)  # fmt: skip
def test_an_invalid_url_is_refused_without_showing_a_secret(url: str, message: str) -> None:
    """One line with what is wrong in the URL, and not the URL."""
    with pytest.raises(UsageError) as caught:
        connect(Address(url=url))
    assert message in str(caught.value)
    assert SECRET not in str(caught.value)
    assert SECRET not in repr(Address(url=url))


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("postgresql://u:p@h1:1,h2,[::1]:3/db", [("h1", 1), ("h2", None), ("::1", 3)]),
        ("postgresql://[::1]/db", [("::1", None)]),
        ("postgresql://%2Frun%2Fpg/db", [("/run/pg", None)]),
        ("postgresql:///db?host=/run/pg", [("/run/pg", None)]),
        ("postgresql:///db?host=h1,h2", [("h1", None), ("h2", None)]),
        ("postgresql:///db?host=h1,h2&port=1,2", [("h1", 1), ("h2", 2)]),
        ("postgresql:///db?host=h1,h2&port=1", [("h1", 1), ("h2", 1)]),
        ("postgresql://", [("env1", 9), ("env2", 9)]),
    ],
)
def test_every_host_is_found_where_libpq_would_find_it(
    url: str, found: list[tuple[str, int | None]]
) -> None:
    """In the address, in the query, or in PGHOST; each gets its own time to answer."""
    assert parse_hosts(url, "env1,env2", "9" if url == "postgresql://" else None) == found


@pytest.mark.parametrize(
    ("url", "place"),
    [
        (f"postgres://u:{SECRET}@h:5433/db", "h:5433/db"),
        (f"postgres://u:{SECRET}@%2Frun%2Fpg/db", "/run/pg/db"),
        ("postgres:///?host=/run/pg&dbname=db", "/run/pg/db"),
        (None, "pghost/pgdatabase"),
    ],
)
def test_messages_have_the_place_and_no_more(url: str | None, place: str) -> None:
    """Host, port and database stand in messages; user and password do not."""
    assert format_place(url, "pghost", "pgdatabase") == place

"""Database URLs as Django people write them."""

from urllib.parse import unquote, urlsplit

import pytest
from psycopg.conninfo import conninfo_to_dict

from sidecar.databases.base import Address, connect
from sidecar.databases.postgres.dsn import format_place, to_libpq
from sidecar.databases.postgres.hosts import Host, parse_hosts
from sidecar.errors import UsageError

SECRET = "hunter2"  # noqa: S105 - the canary that no message may show


@pytest.mark.parametrize(
    ("url", "libpq"),
    [
        ("postgres://u:p@h:5433/db", "postgresql://u:p@h:5433/db"),
        ("postgis://h/db", "postgresql://h/db"),
        ("postgres://h/db?conn_max_age=600&sslmode=require", "postgresql://h/db?sslmode=require"),
        ("postgres://h/db?CONN_MAX_AGE=600", "postgresql://h/db"),
        ("postgres://h/db?sslmode=&channel_binding=prefer&sslsni=0", "postgresql://h/db"),
        ("prometheus-postgresql://h/db?fallback_application_name=x", "postgresql://h/db"),
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
    names = [*map(str, str(theirs["host"]).split(","))]
    assert parse_hosts(libpq, {}) == [*map(Host, names, ports)]
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
        ("postgres://u:p@//run/postgresql/db", "a folder in the place of the database"),
        ("postgres://h1,h2/db?hostaddr=127.0.0.1", "2 hosts, but 1 addresses"),
        ("postgres://h/db?channel_binding=require", "channel_binding asks for what the"),
        ("postgres://h/db?gssencmode=require", "gssencmode asks for what the"),
        ("postgres://h/db?require_auth=scram-sha-256", "require_auth asks for what the"),
        ("postgres://h/db?requirepeer=postgres", "requirepeer asks for what the"),
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


@pytest.mark.parametrize("name", ["PGCHANNELBINDING", "PGGSSENCMODE", "PGREQUIREAUTH"])
def test_a_demand_of_the_environment_is_never_dropped(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asks for more safety than there is must not get less without a word."""
    monkeypatch.setenv(name, "require")
    with pytest.raises(UsageError, match=name):
        connect(Address(url="postgresql://h/db"))

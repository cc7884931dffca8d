"""MySQL URLs as Django people write them."""

import pytest

from sidecar.databases.base import Address, connect, create_migration_lock
from sidecar.databases.mysql.dsn import Tls, parse_url
from sidecar.errors import UsageError

SECRET = "hunter2"  # noqa: S105 - the canary that no message may show


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("mysql://u:p@h:3307/db", "h:3307/db"),
        ("mysql2://u@h/db?conn_max_age=600&charset=utf8mb4", "h:3306/db"),
        ("mysql+pymysql://u@h/db", "h:3306/db"),
        ("mysql://u@[::1]:3307/db", "[::1]:3307/db"),
        ("mysql://u@[::1]/db", "[::1]:3306/db"),
        ("mysql:///db", "localhost:3306/db"),
        ("mysql://u@%2Frun%2Fmysqld.sock/db", "/run/mysqld.sock/db"),
        ("mysql://u@localhost/db?unix_socket=/run/my.sock", "/run/my.sock/db"),
        ("mysql://u@h/my%20db", "h:3306/my db"),
    ],
)
def test_place_names_the_database_without_the_user(url: str, place: str) -> None:
    """Parameters of Django and its drivers are ignored."""
    assert str(parse_url(url)) == place


def test_user_and_password_are_decoded() -> None:
    """The last @ ends the password, the first : begins it, and no repr shows it."""
    place = parse_url("mysql://u%40x:p%3A%2Fä:y@h/db")
    assert (place.user, place.password) == ("u@x", "p:/ä:y")
    assert "p:/" not in repr(place)
    place = parse_url("mysql://u:p[x]y[@[::1]:3307/db")
    assert (place.password, place.host, place.port) == ("p[x]y[", "::1", 3307)
    assert (parse_url("mysql://h/db").user, parse_url("mysql://h/db").password) == (None, "")


@pytest.mark.parametrize(
    ("query", "tls"),
    [
        ("", Tls(mode="PREFERRED")),
        ("ssl-mode=verify-identity", Tls(mode="VERIFY_IDENTITY")),
        ("ssl_mode=REQUIRED", Tls(mode="REQUIRED")),
        ("ssl-ca=/ca.pem", Tls(mode="VERIFY_CA", ca="/ca.pem")),
        ("ssl-ca=/ca.pem&ssl-mode=REQUIRED", Tls(mode="REQUIRED", ca="/ca.pem")),
        ("ssl-cert=/c&ssl-key=/k", Tls(mode="PREFERRED", cert="/c", key="/k")),
        ("ssl=true", Tls(mode="REQUIRED")),
        ("ssl=False", Tls(mode="DISABLED")),
    ],
)
def test_tls_options_have_the_defaults_of_mysql(query: str, tls: Tls) -> None:
    """Both spellings, in any case; a CA alone asks that the server be checked against it."""
    assert parse_url(f"mysql://h/db?{query}").tls == tls


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (f"mysql://u:{SECRET}#x@h/db", "has a '#'"),
        (f"mysql://u:{SECRET}/x@h/db", "has an '@' after its host"),
        (f"mysql://u:x/{SECRET}@h/db", "has an '@' after its host"),
        (f"mysql://u:x?{SECRET}@h/db", "has an '@' after its host"),
        (f"mysql://u:p@h:{SECRET}/db", "has a port that is no number"),
        ("mysql://u:p@h:99999/db", "has a port that is no number"),
        (f"mysql://u:{SECRET}@[::1/db", "is a bracket missing?"),
        (f"mysql:/u:{SECRET}@h/db", "has no // after its scheme"),
        (f"mysql://u:{SECRET}@h", "must name one database"),
        (f"mysql://u:{SECRET}@h/a/b", "must name one database"),
        (f"mysql://u:{SECRET}@h1,h2/db", "names several hosts"),
        (f"mysql://u@h/db?password=x&{SECRET}=1", "unknown parameter; if that is part"),
        ("mysql://u@h/db?ssl-mod=REQUIRED", "'ssl-mod'; did you mean ssl-mode?"),
        (f"mysql://u@h/db?ssl-mode={SECRET}", "unknown ssl-mode; known are DISABLED"),
        (f"mysql://u@h/db?ssl={SECRET}", "unknown ssl-mode"),
        ("mysql://u@h/db?ssl-cert=/c", "ssl-cert and ssl-key go together"),
    ],
)
def test_an_invalid_url_is_refused_without_its_secret(url: str, message: str) -> None:
    """Before anything is opened, and without repeating any of it."""
    for opens in (connect, create_migration_lock):
        with pytest.raises(UsageError) as caught:
            opens(Address(url=url))
        assert message in str(caught.value)
        assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "address",
    [
        Address(url="mysql://h/db", schema="tenant"),
        Address(url="mysql://h/db", schemas=("tenant_*",)),
        Address(url="mysql://h/db", schemas_query="SELECT 1"),
    ],
)
def test_schemas_are_refused(address: Address) -> None:
    """What MySQL calls a schema is a database, and the URL names it."""
    for opens in (connect, create_migration_lock):
        with pytest.raises(UsageError, match="MySQL has none within a database"):
            opens(address)

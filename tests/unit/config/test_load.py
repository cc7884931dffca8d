"""Where settings come from, and what is refused in which words."""

from pathlib import Path

import pytest

from sidecar.config.load import load
from sidecar.config.settings import Settings
from sidecar.errors import UsageError


def refusal(flags: dict[str, str | None], environment: dict[str, str]) -> str:
    with pytest.raises(UsageError) as caught:
        load(flags, environment)
    assert caught.value.exit_code == 64
    return str(caught.value)


def test_flags_win_over_the_environment_and_the_environment_over_the_file(tmp_path: Path) -> None:
    """One name in three places: the nearest to the operator's fingers counts."""
    file = tmp_path / "sidecar.toml"
    file.write_text('settle = "3s"\ninterval = "7s"\nclose_after_outage = "1m"\n')
    settings = load(
        {"settle": "1s", "config": str(file)}, {"SIDECAR_SETTLE": "2s", "SIDECAR_INTERVAL": "250ms"}
    )
    found = (settings.settle, settings.interval, settings.close_after_outage)
    assert found == (1.0, 0.25, 60.0)


def test_the_file_may_use_types_of_its_own(tmp_path: Path) -> None:
    """Booleans, numbers and lists of TOML mean what they are."""
    file = tmp_path / "sidecar.toml"
    file.write_text('details = false\noptional = ["a.*", "b.0002"]\nretries = 5\nsettle = 0\n')
    settings = load({}, {"SIDECAR_CONFIG": str(file)})
    assert (settings.details, settings.retries, settings.settle) == (False, 5, 0.0)
    assert settings.optional == ("a.*", "b.0002")


def test_an_empty_variable_counts_as_not_set(tmp_path: Path) -> None:
    """Compose sets a variable that the shell has not to nothing: `${SETTLE:-}`."""
    file = tmp_path / "sidecar.toml"
    file.write_text('settle = "3s"\n')
    variables = ("LISTEN", "DATABASE_URL", "DATABASE_URL_REPLICA", "TOKEN_FILE", "ON_AHED", "X")
    empty = {f"SIDECAR_{name}": "" for name in variables}
    assert load({}, {**empty, "SIDECAR_CONFIG": "", "DATABASE_URL": ""}) == Settings()
    given = {**empty, "SIDECAR_SETTLE": "", "DATABASE_URL": "postgres://a"}
    settings = load({"config": str(file)}, given)
    assert (settings.settle, settings.database_url) == (3.0, "postgres://a")


def test_database_url_is_found_where_django_people_put_it() -> None:
    """DATABASE_URL counts, and SIDECAR_DATABASE_URL before it."""
    assert load({}, {"DATABASE_URL": "postgres://a"}).database_url == "postgres://a"
    both = {"DATABASE_URL": "postgres://a", "SIDECAR_DATABASE_URL": "postgres://b"}
    assert load({}, both).database_url == "postgres://b"


@pytest.mark.parametrize("level", ["debug", "DEBUG", "Debug"])
def test_the_log_level_is_taken_in_any_case(level: str) -> None:
    """Python's own levels are in capitals."""
    assert load({}, {"SIDECAR_LOG_LEVEL": level}).log_level == "debug"


def test_service_links_of_kubernetes_are_no_settings() -> None:
    """A service named sidecar must not stop every pod from starting, nor be warned of."""
    links = {
        "SIDECAR_SERVICE_HOST": "10.0.0.1",
        "SIDECAR_SERVICE_PORT_HTTP": "80",
        "SIDECAR_PORT": "tcp://10.0.0.1:80",
        "SIDECAR_PORT_80_TCP_ADDR": "10.0.0.1",
        "SIDECAR_DB_PORT": "tcp://10.0.0.1:80",
    }
    assert load({}, links) == Settings()


@pytest.mark.parametrize(
    "variable", ["SIDECAR_PASSWORD", "SIDECAR_TOKEN", "SIDECAR_XYZZY", "SIDECAR_PORT"]
)
def test_a_variable_of_somebody_else_is_noticed_and_no_error(variable: str) -> None:
    """compose.yaml itself has SIDECAR_PASSWORD; who sets it must not be stopped by it."""
    settings = load({}, {variable: "hunter2"})
    assert settings.unknown == (variable,)
    assert settings == Settings(unknown=(variable,))


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"SIDECAR_INTERVALL": "3"}, "SIDECAR_INTERVALL; did you mean SIDECAR_INTERVAL?"),
        ({"SIDECAR_SCHEMA": "x"}, "SIDECAR_SCHEMA; did you mean SIDECAR_SCHEMAS?"),
        ({"SIDECAR_DATABASE_URI": "x"}, "did you mean SIDECAR_DATABASE_URL?"),
        ({"SIDECAR_TLS_CERT_FILE": "x"}, "did you mean SIDECAR_TLS_CERT?"),
        ({"SIDECAR_INTERVAL_FILE": "x"}, "did you mean SIDECAR_INTERVAL?"),
        ({"SIDECAR_INTERVAL": "soon"}, "SIDECAR_INTERVAL: 'soon' is no duration, such as 250ms"),
        ({"SIDECAR_STATEMENT_TIMEOUT": "5000"}, "'5000' needs a unit: 5000ms, 5000s or 5000m"),
        ({"SIDECAR_INTERVAL": "0"}, "must be longer than 0"),
        ({"SIDECAR_ON_AHEAD": "maybe"}, "SIDECAR_ON_AHEAD: 'maybe' is none of ready, not_ready"),
        ({"SIDECAR_ON_PRUNED": "on"}, "'on' is none of hold, close, accept"),
        ({"SIDECAR_DETAILS": "perhaps"}, "is neither on nor off"),
        ({"SIDECAR_RETRIES": "-1"}, "is no whole number from 0"),
        ({"SIDECAR_INTERVAL": "postgres://u:hunter2@h"}, "SIDECAR_INTERVAL: (not repeated"),
        ({"SIDECAR_PASSWORD_FILE_REPLICA": "x"}, "database replica has a password file and no"),
    ],
)  # fmt: skip
def test_a_setting_that_is_not_valid_is_refused(environment: dict[str, str], message: str) -> None:
    """One line that names the place, the value and what would do."""
    text = refusal({}, environment)
    assert message in text
    assert "hunter2" not in text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("intervall = 3", "unknown key intervall; did you mean interval?"),
        ("interval = [", "not TOML"),
        ('interval = "x"', "interval: 'x' is no duration"),
        ("interval = 7", "interval: '7' needs a unit: 7ms, 7s or 7m"),
        ("databases = 1", "databases is no table"),
        ("[databases.replica]\nuri = 1", "databases.replica: takes url and password_file"),
    ],
)
def test_a_bad_file_is_refused_with_its_name(tmp_path: Path, text: str, message: str) -> None:
    """The file and the key are named."""
    file = tmp_path / "sidecar.toml"
    file.write_text(text)
    refused = refusal({"config": str(file)}, {})
    assert message in refused
    assert refused.startswith(str(file))
    assert "No such file" in refusal({"config": str(tmp_path / "no.toml")}, {})


def test_a_setting_is_read_from_the_file_that_a_variable_names(tmp_path: Path) -> None:
    """Docker and Kubernetes mount secrets as files; any text may be one."""
    for name, text in {"url": "postgres://a\n", "sql": "SELECT 1\n", "list": "a,\nb\n"}.items():
        (tmp_path / name).write_text(text)
    settings = load(
        {},
        {
            "SIDECAR_DATABASE_URL_FILE": str(tmp_path / "url"),
            "SIDECAR_DATABASE_URL_REPLICA_FILE": str(tmp_path / "url"),
            "SIDECAR_PASSWORD_FILE_REPLICA": str(tmp_path / "password"),
            "SIDECAR_SCHEMAS_QUERY_FILE": str(tmp_path / "sql"),
            "SIDECAR_OPTIONAL_FILE": str(tmp_path / "list"),
            "DATABASE_URL": "postgres://b",
        },
    )
    assert (settings.database_url, settings.schemas_query) == ("postgres://a", "SELECT 1")
    assert settings.optional == ("a", "b")
    assert settings.database_url_file == tmp_path / "url"
    (replica,) = settings.aliases
    assert (replica.name, replica.url, replica.url_file, replica.password_file) == (
        *("replica", "postgres://a", tmp_path / "url", tmp_path / "password"),
    )


def test_settings_that_end_in_file_are_themselves(tmp_path: Path) -> None:
    """SIDECAR_PASSWORD_FILE names the file itself, and its content is not read here."""
    names = ("password_file", "token_file", "state_file")
    settings = load({}, {f"SIDECAR_{name.upper()}": str(tmp_path / name) for name in names})
    assert [getattr(settings, name) for name in names] == [tmp_path / name for name in names]
    assert settings.unknown == ()


def test_a_flag_wins_over_a_file(tmp_path: Path) -> None:
    """A URL that does not come from the file does not follow the file."""
    (tmp_path / "url").write_text("postgres://a")
    environment = {"SIDECAR_DATABASE_URL_FILE": str(tmp_path / "url")}
    settings = load({"database_url": "postgres://b"}, environment)
    assert (settings.database_url, settings.database_url_file) == ("postgres://b", None)


def test_a_file_that_holds_no_setting_is_refused(tmp_path: Path) -> None:
    """The variable and the file are named; a setting has one place in the environment."""
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "binary").write_bytes(b"\xff")
    for name, message in (("no", "No such file"), ("empty", "is empty"), ("binary", "is no text")):
        refused = refusal({}, {"SIDECAR_DATABASE_URL_FILE": str(tmp_path / name)})
        assert refused.startswith("SIDECAR_DATABASE_URL_FILE: ")
        assert message in refused
    both = {"SIDECAR_DATABASE_URL": "postgres://a", "SIDECAR_DATABASE_URL_FILE": "x"}
    assert "are both set; set one of them" in refusal({}, both)


def test_settings_show_no_url_when_printed() -> None:
    """A Settings that ends up in a log line shows no URL."""
    urls = ("DATABASE_URL", "DATABASE_URL_REPLICA", "PUSHGATEWAY")
    given = {f"SIDECAR_{name}": "http://u:hunter2@h/d" for name in urls}
    assert "hunter2" not in repr(load({}, given))

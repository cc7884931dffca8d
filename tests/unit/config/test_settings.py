"""Settings: where they come from, and what is refused in which words."""

from pathlib import Path

import pytest

from sidecar.config.load import load
from sidecar.config.settings import FIELDS, Settings, shown
from sidecar.errors import UsageError


def refusal(flags: dict[str, str | None], environment: dict[str, str]) -> str:
    with pytest.raises(UsageError) as caught:
        load(flags, environment)
    assert caught.value.exit_code == 64
    return str(caught.value)


def test_defaults_are_those_of_the_design() -> None:
    """Nothing set gives the documented policy."""
    settings = load({}, {})
    assert settings == Settings()
    assert (settings.on_ahead, settings.on_outage, settings.on_regression) == (
        *("ready", "hold", "close"),
    )
    assert (settings.interval, settings.listen, settings.details) == (30.0, ("[::]:8089",), True)


def test_flags_win_over_the_environment_and_the_environment_over_the_file(tmp_path: Path) -> None:
    """One name in three places: the nearest to the operator's fingers counts."""
    file = tmp_path / "sidecar.toml"
    file.write_text('settle = "3s"\ninterval = 7\nhold_for = "1m"\non_outage = "close"\n')
    settings = load(
        {"settle": "1s", "config": str(file)}, {"SIDECAR_SETTLE": "2s", "SIDECAR_INTERVAL": "250ms"}
    )
    assert (settings.settle, settings.interval, settings.hold_for) == (1.0, 0.25, 60.0)


def test_the_file_may_use_types_of_its_own(tmp_path: Path) -> None:
    """Booleans, numbers and lists of TOML mean what they say."""
    file = tmp_path / "sidecar.toml"
    file.write_text('details = false\noptional = ["a.*", "b.0002"]\naccept_pruned = true\n')
    settings = load({}, {"SIDECAR_CONFIG": str(file)})
    assert (settings.details, settings.accept_pruned) == (False, True)
    assert settings.optional == ("a.*", "b.0002")


def test_database_url_is_found_where_django_people_put_it() -> None:
    """DATABASE_URL counts, and SIDECAR_DATABASE_URL before it."""
    assert load({}, {"DATABASE_URL": "postgres://a"}).database_url == "postgres://a"
    both = {"DATABASE_URL": "postgres://a", "SIDECAR_DATABASE_URL": "postgres://b"}
    assert load({}, both).database_url == "postgres://b"


def test_service_links_of_kubernetes_are_no_settings() -> None:
    """A service named sidecar must not stop every pod from starting."""
    links = {
        "SIDECAR_SERVICE_HOST": "10.0.0.1",
        "SIDECAR_SERVICE_PORT_HTTP": "80",
        "SIDECAR_PORT": "tcp://10.0.0.1:80",
        "SIDECAR_PORT_80_TCP_ADDR": "10.0.0.1",
        "SIDECAR_DB_PORT": "tcp://10.0.0.1:80",
    }
    assert load({}, links) == Settings()


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"SIDECAR_INTERVALL": "3"}, "SIDECAR_INTERVALL; did you mean SIDECAR_INTERVAL?"),
        ({"SIDECAR_XYZZY": "3"}, "unknown variable SIDECAR_XYZZY"),
        ({"SIDECAR_PORT": "8089"}, "unknown variable SIDECAR_PORT"),
        ({"SIDECAR_INTERVAL": "soon"}, "SIDECAR_INTERVAL: 'soon' is no duration, such as 250ms"),
        ({"SIDECAR_INTERVAL": "0"}, "must be longer than 0"),
        ({"SIDECAR_SETTLE": "-1s"}, "is no duration"),
        ({"SIDECAR_ON_AHEAD": "maybe"}, "SIDECAR_ON_AHEAD: 'maybe' is none of ready, not_ready"),
        ({"SIDECAR_DETAILS": "perhaps"}, "is neither on nor off"),
        ({"SIDECAR_REGRESSION_CONFIRMATIONS": "0"}, "is no whole number from 1"),
        ({"SIDECAR_REGRESSION_CONFIRMATIONS": "\u0663"}, "is no whole number from 1"),
        ({"SIDECAR_ON_OUTAGE": "close"}, "on_outage=close needs hold_for"),
        ({"SIDECAR_HOLD_FOR": "10s"}, "hold_for has no effect unless on_outage=close"),
        ({"SIDECAR_PASSWORD_FILE_REPLICA": "x"}, "database replica has a password file and no"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(environment: dict[str, str], message: str) -> None:
    """One line that names the place, the value and what would do."""
    assert message in refusal({}, environment)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("intervall = 3", "unknown key intervall; did you mean interval?"),
        ("interval = [", "not TOML"),
        ('interval = "x"', "interval: 'x' is no duration"),
    ],
)
def test_a_bad_file_is_refused_with_its_name(tmp_path: Path, text: str, message: str) -> None:
    """The file and the key are named."""
    file = tmp_path / "sidecar.toml"
    file.write_text(text)
    told = refusal({"config": str(file)}, {})
    assert message in told
    assert told.startswith(str(file))
    assert "No such file" in refusal({"config": str(tmp_path / "no.toml")}, {})


def test_every_setting_says_what_it_is_for_and_shows_its_default() -> None:
    """No setting lacks a help text, and defaults read as they would be written."""
    assert all(item.metadata["help"] for item in FIELDS.values())
    assert [shown(FIELDS[name]) for name in ("details", "listen", "interval", "hold_for")] == [
        *("on", "[::]:8089", "30s", ""),
    ]

"""The table of settings: what each is for, and how help shows it."""

from sidecar.config.settings import FIELDS, GROUPS, Settings, default_text, help_text


def test_the_defaults_are_those_of_the_design() -> None:
    """Nothing set gives the documented policy."""
    settings = Settings()
    assert (settings.on_ahead, settings.close_after_outage, settings.on_regression) == (
        *("ready", None, "close"),
    )
    assert (settings.interval, settings.listen, settings.details) == (30.0, ("[::]:8089",), True)


def test_there_are_few_settings() -> None:
    """A setting that nobody needs costs every reader of the help; a new one must displace one."""
    assert len(FIELDS) <= 34


def test_every_setting_has_a_group_that_help_knows() -> None:
    """A setting of an unknown group would be left out of help."""
    assert {item.metadata["group"] for item in FIELDS.values()} == GROUPS.keys()


def test_help_shows_units_and_defaults_as_they_are_written() -> None:
    """What help shows could be copied into a settings file."""
    names = ("details", "listen", "interval", "close_after_outage", "timeout")
    assert [default_text(FIELDS[name]) for name in names] == [
        *("on", "[::]:8089", "30s", "never", ""),
    ]
    assert help_text(FIELDS["connect_timeout"]).endswith("(such as 30s; default: 3s)")
    assert help_text(FIELDS["timeout"]).endswith("(such as 30s)")


def test_every_default_is_one_that_its_parser_takes() -> None:
    """A default that is copied from the help means what leaving it out means."""
    for item in FIELDS.values():
        if text := default_text(item):
            assert item.metadata["kind"].parse(text) == item.default, item.name

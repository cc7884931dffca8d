"""The body of `/readyz?verbose`."""

from factories import snapshot, status
from sidecar.core.gate.state import PollResult
from sidecar.core.migrations.compare import Outcome
from sidecar.core.reason import Reason
from sidecar.core.views.verbose import format_verbose
from support.manifests import chain, manifest

SHOP = manifest(*chain("shop", *(f"{n:04}" for n in range(1, 9))))
GOOD = PollResult(at=1.0, outcome=Outcome.CURRENT)
BEHIND = PollResult(at=2.0, outcome=Outcome.BEHIND)
DOWN = PollResult(at=3.0, failure=Reason.DATABASE_UNREACHABLE)


def test_verbose_names_a_few_and_counts_the_rest() -> None:
    """One glance: each check, what is pending, since when, and what to do."""
    assert format_verbose(snapshot([status("shop.0001", of=SHOP)], BEHIND)) == (
        "[-]default schema_behind: 7 pending, next shop.0002\n"
        "    pending shop.0002\n"
        "    pending shop.0003\n"
        "    pending shop.0004\n"
        "    pending shop.0005\n"
        "    pending shop.0006\n"
        "    and 2 more\n"
        "readyz check failed: schema_behind since 2023-11-14T22:13:22.000Z\n"
        "next: apply the migrations: python manage.py migrate\n"
    )
    failed = status(failure=Reason.DATABASE_UNREACHABLE, message="db: refused")
    held = format_verbose(snapshot([failed], GOOD, DOWN))
    assert held == (
        "[+]default ok, warning: database_unreachable: db: refused\n"
        "readyz check passed: schema_current, holding: database_unreachable"
        " since 2023-11-14T22:13:23.000Z\n"
        "next: check that the database runs and that this host may reach it\n"
    )


def test_a_target_that_is_not_the_cause_passes() -> None:
    """Of several targets the one to blame can be picked out."""
    good, bad = status("shop.0001", "shop.0002"), status("shop.0001", database="other")
    lines = format_verbose(snapshot([good, bad], BEHIND)).splitlines()
    assert lines[:2] == ["[+]default ok", "[-]other schema_behind: 1 pending, next shop.0002"]


def test_an_open_gate_needs_nothing_done() -> None:
    """There is no next step where all is well."""
    assert format_verbose(snapshot([status("shop.0001", "shop.0002")], GOOD)) == (
        "[+]default ok\nreadyz check passed: schema_current since 2023-11-14T22:13:21.000Z\n"
    )

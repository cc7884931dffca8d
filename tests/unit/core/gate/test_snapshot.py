"""What the databases mean together for the gate."""

import pytest
from msgspec.structs import replace

from factories import database, read, several
from sidecar.core.gate.database_status import DatabaseStatus
from sidecar.core.gate.machine import initial_gate, step
from sidecar.core.gate.snapshot import combine, is_satisfied
from sidecar.core.gate.state import Policy, PollResult, Tick
from sidecar.core.gate.tracking import after_failure
from sidecar.core.migrations.compare import Outcome
from sidecar.core.migrations.recorded import Recorded
from sidecar.core.reason import Reason

HALF, ALL = "shop.0001", "shop.0001\nshop.0002"


def with_rows(name: str, text: str | None, *, required: bool = True) -> DatabaseStatus:
    """Return a database with these rows, or one that could not be read."""
    status = database(name)
    if text is None:
        status = after_failure(status, Reason.DATABASE_TIMEOUT, "slow", at=1.0, duration=0.0)
    else:
        status = read(status, Recorded(text))
    (group,) = status.groups
    return replace(status, groups=(replace(group, required=required),))


@pytest.mark.parametrize(
    ("databases", "expected"),
    [
        (
            [with_rows("a", ALL), with_rows("b", HALF)],
            PollResult(at=0, database="a", outcome=Outcome.BEHIND, repeated=True, cleared=True),
        ),
        (
            [with_rows("a", HALF), with_rows("b", HALF)],
            PollResult(at=0, database="a", outcome=Outcome.BEHIND),
        ),
        (
            [with_rows("a", ALL), with_rows("b", None)],
            PollResult(
                at=0, database="a", failure=Reason.DATABASE_TIMEOUT, cleared=True, outage=True
            ),
        ),
        (
            [with_rows("a", ALL), with_rows("b", None, required=False)],
            PollResult(at=0, database="a", outcome=Outcome.CURRENT, cleared=True),
        ),
        (
            [with_rows("a", HALF, required=False)],
            PollResult(at=0, database="a", outcome=Outcome.BEHIND),
        ),
    ],
)
def test_the_worst_of_what_is_required_counts(
    databases: list[DatabaseStatus], expected: PollResult
) -> None:
    """What another database came to than the one just polled is repeated, not confirmed."""
    assert combine(databases, 0, "a") == expected


def test_nothing_is_known_before_each_required_database_was_read() -> None:
    """One that is optional is not waited for."""
    unread = database("b")
    optional = replace(unread, groups=(replace(unread.groups[0], required=False),))
    assert combine([with_rows("a", ALL), unread], 0.0) is None
    assert combine([with_rows("a", ALL), optional], 0.0) is not None


def test_satisfied_means_that_migrate_would_find_nothing_to_do() -> None:
    """In any schema of any database."""
    assert is_satisfied([with_rows("a", ALL)])
    assert not is_satisfied([with_rows("a", ALL), with_rows("b", HALF)])
    assert not is_satisfied([read(database(), several((ALL, ("a",)), (HALF, ("b",))))])


OUTAGE_CLOSES = Policy(close_after_outage=4.0)


def play(*polls: tuple[str, str | None], policy: Policy = Policy()) -> list[str]:  # noqa: B008 - frozen
    """Return the phases of an open gate as one database after the other is polled."""
    databases = {name: with_rows(name, ALL) for name in "ab"}
    gate = step(initial_gate(0.0), PollResult(at=0.0, outcome=Outcome.CURRENT), policy)
    phases = []
    for at, (name, text) in enumerate(polls, 1):
        before = databases[name]
        databases[name] = (
            after_failure(before, Reason.DATABASE_TIMEOUT, "slow", at=1.0, duration=0.0)
            if text is None
            else read(before, Recorded(text))
        )
        result = combine([*databases.values()], float(at), name)
        assert result is not None
        gate = step(step(gate, Tick(float(at)), policy), result, policy)
        phases.append(str(gate.phase))
    return phases


def test_a_good_poll_clears_what_is_unconfirmed_of_its_database() -> None:
    """Also while another one cannot be read, so that two blips far apart are none."""
    blip = (("a", HALF), ("a", ALL))
    assert set(play(("b", None), *blip, ("b", None), *blip)) == {"holding"}
    assert play(("b", None), ("a", HALF), ("b", None), ("a", HALF))[-1] == "closed"


def test_only_polls_of_one_database_confirm_each_other() -> None:
    """Two that each have a blip at the same time are no regression."""
    assert play(("a", HALF), ("b", HALF)) == ["holding", "holding"]
    assert play(("a", HALF), ("b", HALF), ("a", ALL), ("b", HALF))[-1] == "closed"


def test_a_pruned_squash_confirms_nobodys_regression() -> None:
    """It holds a gate open for as long as it is there, and is behind all that time."""
    behind, other = with_rows("a", HALF), with_rows("b", HALF)
    (group,) = other.groups
    assert group.verdict is not None
    pruned = replace(group, verdict=replace(group.verdict, pruned=True))
    result = combine([behind, replace(other, groups=(pruned,))], 0.0, "b")
    assert result is not None
    assert (result.pruned, result.repeated) == (False, True)


def test_an_outage_goes_on_while_another_database_has_a_blip() -> None:
    """`close_after_outage` is counted from the first read that failed."""
    phases = play(
        *(("b", None), ("a", HALF), ("a", ALL), ("b", None), ("b", None)), policy=OUTAGE_CLOSES
    )
    assert phases == [*["holding"] * 4, "closed"]

"""What a look at one database makes of its targets."""

import pytest
from msgspec.structs import replace

from sidecar.core.gate.database_status import Needs, Watched, begin, failed, read
from sidecar.core.gate.machine import begin as begin_gate
from sidecar.core.gate.machine import step
from sidecar.core.gate.snapshot import Target, overall
from sidecar.core.gate.state import Look, Policy, Tick
from sidecar.core.migrations.compare import Outcome, compare
from sidecar.core.migrations.manifest import Key
from sidecar.core.migrations.recorded import Recorded
from sidecar.core.reason import Reason
from support.manifests import chain, manifest

EXPECTED = manifest(*chain("shop", "0001", "0002"))
HALF, ALL = "shop.0001", "shop.0001\nshop.0002"


def several(*sets: tuple[str, tuple[str, ...]]) -> Recorded:
    """Return these rows of these schemas."""
    first, *others = (Recorded(text, schemas=names) for text, names in sets)
    return Recorded(first.text, schemas=first.schemas, others=tuple(others))


def look(watched: Watched, recorded: Recorded, *, opened: bool = False) -> Watched:
    """Look once."""
    return read(watched, recorded, lambda keys: compare(EXPECTED, keys), opened=opened)


def told(watched: Watched) -> list[tuple[tuple[str, ...], bool, str]]:
    """Return schemas, whether they are required, and the reason of each target."""
    return [(t.schemas, t.required, str(t.reason)) for t in watched.targets]


def test_one_schema_is_one_target() -> None:
    """Without a list of schemas there is the one that Django finds, by its name."""
    (target,) = look(begin("default"), Recorded(ALL, "public")).targets
    assert (target.schema, target.schemas, target.count, target.required) == ("public", (), 1, True)


def test_the_same_rows_are_compared_once() -> None:
    """However many looks and however many schemas."""
    compared: list[int] = []

    def judge(keys: list[str]) -> object:
        compared.append(len(keys))
        return compare(EXPECTED, keys)  # type: ignore[arg-type]

    watched = begin("default")
    for _ in range(3):
        rows = several((ALL, ("a", "b")), (HALF, ("c",)))
        watched = read(watched, rows, judge, opened=False)  # type: ignore[arg-type]
    assert compared == [2, 1]


def test_a_newcomer_behind_an_open_gate_is_not_yet_required() -> None:
    """It counts from the moment when it is current, and from then on as the others do."""
    watched = look(begin("default"), several((ALL, ("a", "b"))))
    watched = look(watched, several((ALL, ("a", "b")), (HALF, ("c",))), opened=True)
    assert told(watched)[1] == (("c",), False, "schema_behind")
    watched = look(watched, several((ALL, ("a", "b", "c"))), opened=True)
    assert told(watched) == [(("a", "b", "c"), True, "schema_current")]
    watched = look(watched, several((ALL, ("a",)), (HALF, ("b", "c", "d"))), opened=True)
    assert told(watched)[1:] == [
        (("b", "c"), True, "schema_behind"),
        (("d",), False, "schema_behind"),
    ]


def test_schemas_before_the_gate_opened_are_all_required() -> None:
    """Nothing is served yet, so nobody is made to wait by a newcomer."""
    watched = look(begin("default"), several((HALF, ("a",)), (ALL, ("b",))))
    assert [required for _, required, _ in told(watched)] == [True, True]


def test_behind_a_remembered_gate_nobody_is_a_newcomer() -> None:
    """After a restart nothing is known, so a gate that was open answers for all there is."""
    watched = look(begin("default"), several((HALF, ("a", "b"))), opened=True)
    assert told(watched) == [(("a", "b"), True, "schema_behind")]


def test_a_schema_that_comes_back_is_no_newcomer() -> None:
    """Dropped and restored from an older dump is a regression, however long it took."""
    watched = look(begin("default"), several((ALL, ("a", "b"))))
    watched = look(watched, several((ALL, ("a",))), opened=True)
    watched = look(watched, several((ALL, ("a",)), (HALF, ("b",))), opened=True)
    assert told(watched)[1] == (("b",), True, "schema_behind")


def test_an_empty_schema_may_be_ignored() -> None:
    """Until its first row."""
    watched = begin("default", Needs(empty=False))
    rows = several((ALL, ("a",)), ("", ("b",)))
    assert told(look(watched, rows))[1] == (("b",), False, "schema_behind")
    assert told(look(begin("default"), rows))[1] == (("b",), True, "schema_behind")


def test_a_schema_that_lost_its_rows_is_never_ignored() -> None:
    """It is one in which nothing is migrated any more, not one in which nothing ever was."""
    watched = look(begin("default", Needs(empty=False)), several((ALL, ("a", "b"))))
    watched = look(watched, several((ALL, ("a",)), ("", ("b",))), opened=True)
    assert told(watched)[1] == (("b",), True, "schema_behind")


def test_an_empty_schema_that_is_named_by_itself_is_never_ignored() -> None:
    """Only what a pattern or a query found may be no tenant yet."""
    needs = Needs(empty=False, named=frozenset({"default:b"}))
    rows = several((ALL, ("a",)), ("", ("b", "c")))
    assert told(look(begin("default", needs), rows))[1:] == [
        (("b",), True, "schema_behind"),
        (("c",), False, "schema_behind"),
    ]


def test_patterns_name_what_is_optional() -> None:
    """By alias and schema; a whole database as `replica:*`, also before its first look."""
    needs = Needs(optional=("default:test_*", "replica:*"))
    watched = look(begin("default", needs), several((HALF, ("test_a", "x"))))
    assert told(watched) == [
        (("x",), True, "schema_behind"),
        (("test_a",), False, "schema_behind"),
    ]
    assert not begin("replica", needs).targets[0].required
    assert not look(begin("replica", needs), Recorded(HALF, "public")).targets[0].required


def test_a_schema_that_may_not_be_read_is_unknown() -> None:
    """Known or not before: what cannot be read cannot be vouched for, unless it is a newcomer."""
    denied = Recorded("", schemas=("b",), failure=Reason.DATABASE_DENIED, message="no")
    rows = Recorded(ALL, schemas=("a",), others=(denied,))
    assert told(look(begin("default"), rows))[1] == (("b",), True, "database_denied")
    opened = look(begin("default"), several((ALL, ("a",))))
    assert told(look(opened, rows, opened=True))[1] == (("b",), False, "database_denied")


def test_what_could_not_be_read_was_last_read_with_whom_it_was_then() -> None:
    """A tenant that leaves a group, since it is locked, takes along when the group was read."""
    read_at = (5.0, 7.0)
    targets = tuple(
        Target(database="x", schemas=(name,), succeeded_at=at)
        for name, at in zip("ab", read_at, strict=True)
    )
    watched = Watched(database="x", targets=targets)
    for name, at in (*zip("ab", read_at, strict=True), ("new", 5.0)):
        assert watched.succeeded_at(Target(database="x", schemas=(name,))) == at


def test_a_failed_look_keeps_what_was_known() -> None:
    """The verdict stays for people; the reason is the failure's."""
    watched = failed(look(begin("x"), Recorded(ALL)), Reason.DATABASE_UNREACHABLE, "refused")
    (target,) = watched.targets
    assert (target.reason, target.message) == (Reason.DATABASE_UNREACHABLE, "refused")
    assert target.verdict is not None


def test_times_are_kept_of_a_single_schema() -> None:
    """Of several schemas no one has a timeline: they are migrated side by side."""
    watched = look(begin("x"), Recorded("", "public"))
    watched = look(watched, Recorded(HALF, "public", recent=((Key("shop.0001"), 5.0),)))
    assert watched.targets[0].seen == 1
    assert look(begin("x"), several((ALL, ("a",)))).timeline is None


def target(name: str, text: str | None, *, required: bool = True) -> Target:
    """Return a target with these rows, or one that could not be read."""
    watched = begin(name)
    if text is None:
        watched = failed(watched, Reason.DATABASE_TIMEOUT, "slow")
    else:
        watched = look(watched, Recorded(text))
    (found,) = watched.targets
    return Target(
        database=name,
        verdict=found.verdict,
        failure=found.failure,
        looked_at=1.0,
        required=required,
    )


@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        (
            [target("a", ALL), target("b", HALF)],
            Look(at=0, looked="a", outcome=Outcome.BEHIND, repeated=True, cleared=True),
        ),
        ([target("a", HALF), target("b", HALF)], Look(at=0, looked="a", outcome=Outcome.BEHIND)),
        (
            [target("a", ALL), target("b", None)],
            Look(at=0, looked="a", failure=Reason.DATABASE_TIMEOUT, cleared=True, outage=True),
        ),
        (
            [target("a", ALL), target("b", None, required=False)],
            Look(at=0, looked="a", outcome=Outcome.CURRENT, cleared=True),
        ),
        ([target("a", HALF, required=False)], Look(at=0, looked="a", outcome=Outcome.BEHIND)),
    ],
)
def test_the_worst_required_target_counts(targets: list[Target], expected: Look) -> None:
    """What only another database says than the one just looked at is repeated, not confirmed."""
    assert overall(targets, 0, "a") == expected


DOWN = (Reason.DATABASE_TIMEOUT, "slow")
OUTAGE_CLOSES = Policy(close_after_outage=4.0)


def play(*looks: tuple[str, str | None], policy: Policy = Policy()) -> list[str]:  # noqa: B008 - frozen
    """Return the phases of an open gate as one database after the other is looked at."""
    watched = {name: look(begin(name), Recorded(ALL)) for name in "ab"}
    gate = step(begin_gate(0.0), Look(at=0.0, outcome=Outcome.CURRENT), policy)
    phases = []
    for at, (name, text) in enumerate(looks, 1):
        before = watched[name]
        seen = failed(before, *DOWN) if text is None else look(before, Recorded(text))
        watched[name] = seen
        targets = [replace(t, looked_at=1.0) for each in watched.values() for t in each.targets]
        found = overall(targets, float(at), name)
        assert found is not None
        gate = step(step(gate, Tick(float(at)), policy), found, policy)
        phases.append(str(gate.phase))
    return phases


def test_a_good_look_clears_what_its_database_gave_to_doubt() -> None:
    """Also while another one cannot be read, so that two blips far apart are none."""
    blip = (("a", HALF), ("a", ALL))
    assert set(play(("b", None), *blip, ("b", None), *blip)) == {"holding"}
    assert play(("b", None), ("a", HALF), ("b", None), ("a", HALF))[-1] == "closed"


def test_only_looks_at_one_database_confirm_each_other() -> None:
    """Two that each have a blip at the same time are no regression."""
    assert play(("a", HALF), ("b", HALF)) == ["holding", "holding"]
    assert play(("a", HALF), ("b", HALF), ("a", ALL), ("b", HALF))[-1] == "closed"


def test_a_pruned_squash_confirms_nobodys_regression() -> None:
    """It holds a gate open for as long as it is there, and is behind all that time."""
    behind, pruned = target("a", HALF), target("b", HALF)
    assert pruned.verdict is not None
    pruned = replace(pruned, verdict=replace(pruned.verdict, pruned=True))
    found = overall([behind, pruned], 0.0, "b")
    assert found is not None
    assert (found.pruned, found.repeated) == (False, True)


def test_an_outage_goes_on_while_another_database_has_a_blip() -> None:
    """`close_after_outage` is counted from the first read that failed."""
    phases = play(
        *(("b", None), ("a", HALF), ("a", ALL), ("b", None), ("b", None)), policy=OUTAGE_CLOSES
    )
    assert phases == [*["holding"] * 4, "closed"]

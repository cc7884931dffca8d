"""What each read makes of one database's status."""

from msgspec.structs import replace

from factories import database, read, several
from sidecar.core.gate.database_status import DatabaseStatus, RequiredSchemas, SchemaGroup
from sidecar.core.gate.tracking import after_failure, after_read, progressed, unread_database
from sidecar.core.migrations.compare import compare
from sidecar.core.migrations.manifest import Key
from sidecar.core.migrations.recorded import MigrateRun, Recorded
from sidecar.core.migrations.timeline import Timeline
from sidecar.core.reason import Reason
from support.manifests import chain, manifest

EXPECTED = manifest(*chain("shop", "0001", "0002"))
HALF, ALL = "shop.0001", "shop.0001\nshop.0002"


def describe(status: DatabaseStatus) -> list[tuple[tuple[str, ...], bool, str]]:
    """Return schemas, whether they are required, and the reason of each group."""
    return [(group.schemas, group.required, str(group.reason)) for group in status.groups]


def test_one_schema_is_one_group() -> None:
    """Without a list of schemas there is the one that Django finds, by its name."""
    (group,) = read(database(), Recorded(ALL, "public")).groups
    assert (group.schema, group.schemas, group.count, group.required) == ("public", (), 1, True)


def test_the_same_rows_are_compared_once() -> None:
    """However many reads and however many schemas."""
    compared: list[int] = []

    def judge(keys: list[str]) -> object:
        compared.append(len(keys))
        return compare(EXPECTED, keys)  # type: ignore[arg-type]

    status, rows = database(), several((ALL, ("a", "b")), (HALF, ("c",)))
    for _ in range(3):
        status = after_read(status, rows, judge, RequiredSchemas(), at=1.0)  # type: ignore[arg-type]
    assert compared == [2, 1]


def test_a_newcomer_behind_an_open_gate_is_not_yet_required() -> None:
    """It counts from the moment when it is current, and from then on as the others do."""
    status = read(database(), several((ALL, ("a", "b"))))
    status = read(status, several((ALL, ("a", "b")), (HALF, ("c",))), opened=True)
    assert describe(status)[1] == (("c",), False, "schema_behind")
    status = read(status, several((ALL, ("a", "b", "c"))), opened=True)
    assert describe(status) == [(("a", "b", "c"), True, "schema_current")]
    status = read(status, several((ALL, ("a",)), (HALF, ("b", "c", "d"))), opened=True)
    assert describe(status)[1:] == [
        (("b", "c"), True, "schema_behind"),
        (("d",), False, "schema_behind"),
    ]


def test_schemas_before_the_gate_opened_are_all_required() -> None:
    """Nothing is served yet, so nobody is made to wait by a newcomer."""
    status = read(database(), several((HALF, ("a",)), (ALL, ("b",))))
    assert [required for _, required, _ in describe(status)] == [True, True]


def test_behind_a_remembered_gate_nobody_is_a_newcomer() -> None:
    """After a restart nothing is known, so a gate that was open answers for all there is."""
    status = read(database(), several((HALF, ("a", "b"))), opened=True)
    assert describe(status) == [(("a", "b"), True, "schema_behind")]


def test_a_schema_that_comes_back_is_no_newcomer() -> None:
    """Dropped and restored from an older dump is a regression, however long it took."""
    status = read(database(), several((ALL, ("a", "b"))))
    status = read(status, several((ALL, ("a",))), opened=True)
    status = read(status, several((ALL, ("a",)), (HALF, ("b",))), opened=True)
    assert describe(status)[1] == (("b",), True, "schema_behind")


def test_an_empty_schema_may_be_ignored() -> None:
    """Until its first row."""
    rows = several((ALL, ("a",)), ("", ("b",)))
    ignoring = RequiredSchemas(empty=False)
    assert describe(read(database(), rows, ignoring))[1] == (("b",), False, "schema_behind")
    assert describe(read(database(), rows))[1] == (("b",), True, "schema_behind")


def test_a_schema_that_lost_its_rows_is_never_ignored() -> None:
    """It is one in which nothing is migrated any more, not one in which nothing ever was."""
    ignoring = RequiredSchemas(empty=False)
    status = read(database(), several((ALL, ("a", "b"))), ignoring)
    status = read(status, several((ALL, ("a",)), ("", ("b",))), ignoring, opened=True)
    assert describe(status)[1] == (("b",), True, "schema_behind")


def test_an_empty_schema_that_is_named_by_itself_is_never_ignored() -> None:
    """Only what a pattern or a query found may be no tenant yet."""
    required = RequiredSchemas(empty=False, named=frozenset({"default:b"}))
    rows = several((ALL, ("a",)), ("", ("b", "c")))
    assert describe(read(database(), rows, required))[1:] == [
        (("b",), True, "schema_behind"),
        (("c",), False, "schema_behind"),
    ]


def test_patterns_name_what_is_optional() -> None:
    """By alias and schema; a whole database as `replica:*`, also before its first read."""
    required = RequiredSchemas(optional=("default:test_*", "replica:*"))
    status = read(database(), several((HALF, ("test_a", "x"))), required)
    assert describe(status) == [
        (("x",), True, "schema_behind"),
        (("test_a",), False, "schema_behind"),
    ]
    replica = unread_database("replica", required)
    assert not replica.groups[0].required
    assert not read(replica, Recorded(HALF, "public"), required).groups[0].required


def test_a_schema_that_may_not_be_read_is_unknown() -> None:
    """Known or not before: what cannot be read cannot be vouched for, unless it is a newcomer."""
    denied = Recorded("", schemas=("b",), failure=Reason.DATABASE_DENIED, message="no")
    rows = Recorded(ALL, schemas=("a",), others=(denied,))
    assert describe(read(database(), rows))[1] == (("b",), True, "database_denied")
    opened = read(database(), several((ALL, ("a",))))
    assert describe(read(opened, rows, opened=True))[1] == (("b",), False, "database_denied")


def test_what_could_not_be_read_was_last_read_with_its_former_group() -> None:
    """A tenant that leaves a group, since it is locked, keeps when that group was read."""
    groups = tuple(
        SchemaGroup(schemas=(name,), succeeded_at=at) for name, at in (("a", 5.0), ("b", 7.0))
    )
    failed = [
        Recorded("", schemas=(name,), failure=Reason.DATABASE_TIMEOUT) for name in ("b", "new")
    ]
    rows = Recorded(ALL, schemas=("a",), others=tuple(failed))
    status = read(replace(database(), groups=groups), rows, at=9.0)
    assert [group.succeeded_at for group in status.groups] == [9.0, 7.0, 5.0]


def test_a_failed_read_keeps_what_was_known() -> None:
    """The verdict stays for people; the reason is the failure's."""
    before = read(database(), Recorded(ALL), at=1.0)
    status = after_failure(before, Reason.DATABASE_UNREACHABLE, "refused", at=5.0, duration=0.5)
    (group,) = status.groups
    assert (group.reason, group.message) == (Reason.DATABASE_UNREACHABLE, "refused")
    assert group.verdict is not None
    assert (status.read_at, group.succeeded_at, status.duration, status.reads) == (5.0, 1.0, 0.5, 2)
    assert status.failure is Reason.DATABASE_UNREACHABLE


def test_times_are_kept_of_a_single_schema() -> None:
    """Of several schemas none has a timeline: they are migrated side by side."""
    status = read(database(), Recorded("", "public"))
    status = read(status, Recorded(HALF, "public", recent=((Key("shop.0001"), 5.0),)))
    assert status.timeline.observed == 1
    assert read(database(), several((ALL, ("a",)))).timeline == Timeline()


def test_progress_is_a_change_of_rows_or_of_a_migrate_run() -> None:
    """The first read is none, nor is a read that failed or brought the same rows."""
    new = database()
    half = read(new, Recorded(HALF), at=1.0)
    again, whole = read(half, Recorded(HALF), at=2.0), read(half, Recorded(ALL), at=3.0)
    failed = after_failure(half, Reason.DATABASE_TIMEOUT, "slow", at=4.0, duration=0.0)
    running = read(half, Recorded(HALF, run=MigrateRun()), at=5.0)
    found = [
        progressed(new, half),
        *(progressed(half, each) for each in (again, whole, failed, running)),
    ]
    assert found == [False, False, True, False, True]
    assert [each.progress_at for each in (half, again, whole, failed)] == [None, None, 3.0, None]

"""Which failures of the command are worth another attempt."""

import pytest

from sidecar.clock import SystemClock
from sidecar.core.gate.database_status import RequiredSchemas
from sidecar.core.migrations.compare import compare
from sidecar.core.migrations.manifest import Key, Node
from sidecar.core.migrations.recorded import Recorded
from sidecar.migrate.progress import SchemaProgress
from sidecar.migrate.retry import Failure, Retry, classify_failure
from support.manifests import chain, manifest

EXPECTED = manifest(*chain("shop", "0001", "0002"))
FIRST, SECOND = Key("shop.0001"), Key("shop.0002")
ATOMIC = {FIRST: Node(FIRST), SECOND: Node(SECOND)}
SECOND_NOT_ATOMIC = {FIRST: Node(FIRST), SECOND: Node(SECOND, atomic=False)}


class Rows:
    """A database whose rows do not change."""

    def __init__(self, *keys: Key) -> None:
        """Take the recorded migrations."""
        self._recorded = Recorded("\n".join(keys))

    async def read(self) -> Recorded:
        """Return them."""
        return self._recorded

    async def release(self) -> None:
        """Nothing is held."""


def progress(*keys: Key) -> SchemaProgress:
    """Return a schema with these rows."""
    return SchemaProgress(
        "default",
        Rows(*keys),
        lambda keys: compare(EXPECTED, keys),
        RequiredSchemas(),
        SystemClock(),
    )


@pytest.mark.parametrize(
    ("stderr", "expected"),
    [
        ("psycopg.errors.LockNotAvailable: canceling statement due to lock timeout", Failure.LOCK),
        ("django.db.utils.OperationalError: the connection is lost", Failure.LOST),
        ("psycopg.errors.AdminShutdown: ...\nLockNotAvailable", Failure.LOST),
        ('psycopg.errors.DuplicateTable: relation "shop_item" already exists', Failure.RACE),
        ("psycopg.errors.UniqueViolation: duplicate key", Failure.CONFLICT),
        ("ValueError: no such product", None),
        ("", None),
    ],
)
def test_a_failure_is_known_by_its_exception(stderr: str, expected: Failure | None) -> None:
    """Only what another attempt may not meet again is worth another attempt."""
    assert classify_failure(stderr) is expected


@pytest.mark.parametrize(
    ("failure", "nodes", "applied"),
    [
        (Failure.LOCK, ATOMIC, (FIRST,)),
        (Failure.RACE, ATOMIC, ()),
        (Failure.LOST, SECOND_NOT_ATOMIC, ()),
        (Failure.LOST, SECOND_NOT_ATOMIC, (FIRST, SECOND)),
        (Failure.CONFLICT, ATOMIC, (FIRST, SECOND)),
    ],
)
async def test_what_left_nothing_half_done_is_tried_again(
    failure: Failure, nodes: dict[Key, Node], applied: tuple[Key, ...]
) -> None:
    """The migration at which the command stopped is atomic, or there is none."""
    schema = progress(*applied)
    read = await schema.read()
    assert await Retry(schema, nodes, limit=1).should_retry(failure, 1, read, read)


async def test_after_a_conflict_another_must_have_recorded_the_migration() -> None:
    """A mistake in the migration would only be met again."""
    before = await progress().read()
    last = await progress(FIRST).read()
    schema = progress(FIRST, SECOND)  # as another migrate leaves it meanwhile
    retry = Retry(schema, SECOND_NOT_ATOMIC, limit=1)
    assert await retry.should_retry(Failure.CONFLICT, 1, before, last)
    assert await retry.should_retry(Failure.LOST, 1, before, last)


@pytest.mark.parametrize(("nodes", "expected"), [(ATOMIC, True), (SECOND_NOT_ATOMIC, False)])
async def test_without_an_answer_every_pending_migration_must_be_atomic(
    nodes: dict[Key, Node], *, expected: bool
) -> None:
    """Nobody knows at which one the command stopped."""
    schema = progress()
    before = await schema.read()
    retry = Retry(schema, nodes, limit=1)
    assert await retry.should_retry(Failure.LOST, 1, before, None) is expected


async def test_retries_are_limited() -> None:
    """With one retry there are two attempts."""
    schema = progress()
    read = await schema.read()
    retry = Retry(schema, ATOMIC, limit=1)
    assert await retry.should_retry(Failure.LOCK, 1, read, read)
    assert not await retry.should_retry(Failure.LOCK, 2, read, read)

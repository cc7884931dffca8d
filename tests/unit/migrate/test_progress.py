"""What a migrate run makes of schemas that could not be read."""

import pytest

from sidecar.clock import SystemClock
from sidecar.core.gate.database_status import RequiredSchemas
from sidecar.core.migrations.compare import Outcome, compare
from sidecar.core.migrations.recorded import Recorded
from sidecar.core.reason import Reason
from sidecar.errors import DatabaseDenied, DatabaseError, DatabaseTimeout
from sidecar.migrate.progress import SchemaProgress
from support.manifests import chain, manifest

EXPECTED = manifest(*chain("shop", "0001"))
DENIED = Recorded("", schemas=("a",), failure=Reason.DATABASE_DENIED, message="denied a")
LOCKED = Recorded("", schemas=("b",), failure=Reason.DATABASE_TIMEOUT, message="locked b")
READ = Recorded("shop.0001", schemas=("c",))


class Rows:
    """Schemas as they were recorded."""

    def __init__(self, first: Recorded, *others: Recorded) -> None:
        """Take what each has."""
        self._all = Recorded(
            first.text, schemas=first.schemas, failure=first.failure, message=first.message,
            others=others,
        )  # fmt: skip

    async def read(self) -> Recorded:
        """Return them."""
        return self._all

    async def release(self) -> None:
        """Nothing is held."""


def progress(alias: str, rows: Rows, *optional: str) -> SchemaProgress:
    """Return what reads these rows; patterns name the schemas that are optional."""
    return SchemaProgress(
        alias,
        rows,
        lambda keys: compare(EXPECTED, keys),
        RequiredSchemas(optional),
        SystemClock(),
    )


@pytest.mark.parametrize(
    ("rows", "optional", "error"),
    [
        (Rows(DENIED, LOCKED, READ), (), DatabaseDenied("denied a")),
        (Rows(LOCKED, READ, DENIED), (), DatabaseDenied("denied a")),
        (Rows(LOCKED, READ), (), DatabaseTimeout("locked b")),
        (Rows(DENIED, LOCKED, READ), ("default:a",), DatabaseTimeout("locked b")),
        (Rows(DENIED, LOCKED), ("default:a", "default:b"), DatabaseDenied("denied a")),
    ],
)
async def test_waiting_fixes_a_lock_and_no_missing_grant(
    rows: Rows, optional: tuple[str, ...], error: DatabaseError
) -> None:
    """A lock is waited for, unless a required schema may not be read at all."""
    schema = progress("default", rows, *optional)
    with pytest.raises(type(error), match=str(error)):
        await schema.read()


async def test_a_schema_is_optional_by_the_name_of_its_database() -> None:
    """`sidecar migrate --database analytics` migrates the targets of analytics."""
    for alias, current in (("default", False), ("analytics", True)):
        rows = Rows(READ, Recorded("", schemas=("test",)))
        schema = progress(alias, rows, "analytics:test")
        assert ((await schema.read()).poll_result.outcome is Outcome.CURRENT) is current


async def test_what_is_optional_need_not_be_read() -> None:
    """As long as something could be."""
    schema = progress("default", Rows(DENIED, READ), "default:a")
    assert (await schema.read()).satisfied

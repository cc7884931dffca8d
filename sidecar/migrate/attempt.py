"""One attempt at migrating: the command runs, while its turn and its progress are watched."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from sidecar.core.views.text import describe_run
from sidecar.databases.base import MigrationLock
from sidecar.errors import DatabaseError, DatabaseTimeout
from sidecar.migrate import process as child
from sidecar.migrate.process import CommandProcess
from sidecar.migrate.progress import SchemaProgress

LOG = logging.getLogger("sidecar.migrate")

LOCK_CHECK_INTERVAL: Final = 1.0
"""Seconds between two questions whether the turn is still ours."""

MAX_UNANSWERED_CHECKS: Final = 5
"""So many questions in a row without an answer, and the turn counts as lost."""


class Attempt:
    """A command and what became of it."""

    def __init__(self, schema: SchemaProgress, migration_lock: MigrationLock) -> None:
        """Take what is watched; the command ends when its turn is lost."""
        self._schema = schema
        self._lock = migration_lock
        self._observed = schema.observed
        self._blocked = False
        self.lost = False
        """Whether the turn was lost and the command therefore stopped."""
        self.stderr_tail = ""
        """The end of what the command wrote to standard error."""

    async def run(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        started: Callable[[CommandProcess], None],
    ) -> int:
        """Run the command; return its exit code. `started` gets the child, to signal it."""
        running = await child.start(command, environment)
        started(running)
        watching = asyncio.create_task(self._watch(running))
        try:
            code = await running.wait()
            if self.lost:
                await watching
        finally:
            watching.cancel()
            await running.stop()
        self.stderr_tail = running.stderr_tail()
        return code

    async def _watch(self, running: CommandProcess) -> None:
        silences = 0
        while True:
            await asyncio.sleep(LOCK_CHECK_INTERVAL)
            try:
                why = "" if await self._lock.held() else "its session is gone"
                silences = 0
            except DatabaseTimeout as error:
                silences += 1
                why = str(error) if silences == MAX_UNANSWERED_CHECKS else ""
            except DatabaseError as error:
                why = str(error)
            if why:
                LOG.error("the turn is lost: %s", why)
                self.lost = True
                await running.stop()
                return
            await self._follow()

    async def _follow(self) -> None:
        """Tell what was applied since the last time, and what the command waits for."""
        try:
            found = await self._schema.read()
        except DatabaseError:
            return
        self.tell_applied()
        run = found.run
        blocked = run is not None and run.blocked_since is not None
        if run is not None and blocked and not self._blocked:
            LOG.warning("migrate is blocked: %s", describe_run(run))
        self._blocked = blocked

    def tell_applied(self) -> None:
        """Log each migration that was not told before."""
        for applied in self._schema.applied_after(self._observed):
            took = "" if applied.took is None else f" in {applied.took:.3g} s"
            facts = {"migration": applied.key, "seconds": applied.took}
            LOG.info("applied %s%s", applied.key, took, extra={"facts": facts})
        self._observed = self._schema.observed

"""One attempt: runs the command while it checks the migration lock and logs the progress."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from sidecar.core.views.text import describe_run
from sidecar.databases.base import MigrationLock
from sidecar.errors import DatabaseError, DatabaseTimeout
from sidecar.migrate import process
from sidecar.migrate.process import CommandProcess
from sidecar.migrate.progress import SchemaProgress

LOG = logging.getLogger("sidecar.migrate")

LOCK_CHECK_INTERVAL: Final = 1.0
"""Seconds between two checks whether the migration lock is still held."""

MAX_UNANSWERED_CHECKS: Final = 5
"""After so many checks in a row without an answer the migration lock counts as lost."""


class Attempt:
    """One execution of the command, and its result."""

    def __init__(self, schema: SchemaProgress, migration_lock: MigrationLock) -> None:
        """Take the schema to follow, and the lock whose loss stops the command."""
        self._schema = schema
        self._lock = migration_lock
        self._logged_count = schema.applied_count
        self._blocked = False
        self.lost_lock = False
        """Whether the migration lock was lost and the command therefore stopped."""
        self.stderr_tail = ""
        """The end of what the command wrote to standard error."""

    async def run(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        on_start: Callable[[CommandProcess], None],
    ) -> int:
        """Run the command; return its exit code. `on_start` gets the process, to signal it.

        Raises CommandNotFound or CommandNotRunnable.
        """
        running = await process.start(command, environment)
        on_start(running)
        watching = asyncio.create_task(self._watch(running))
        try:
            code = await running.wait()
            if self.lost_lock:
                await watching
        finally:
            watching.cancel()
            await running.stop()
        self.stderr_tail = running.read_stderr_tail()
        return code

    async def _watch(self, running: CommandProcess) -> None:
        """Log the progress, and stop the command once the migration lock is lost."""
        unanswered = 0
        while True:
            await asyncio.sleep(LOCK_CHECK_INTERVAL)
            try:
                loss = "" if await self._lock.held() else "its session is gone"
                unanswered = 0
            except DatabaseTimeout as error:
                unanswered += 1
                loss = str(error) if unanswered == MAX_UNANSWERED_CHECKS else ""
            except DatabaseError as error:
                loss = str(error)
            if loss:
                LOG.error("the migration lock is lost: %s", loss)
                self.lost_lock = True
                await running.stop()
                return
            await self._log_progress()

    async def _log_progress(self) -> None:
        """Log what was applied since the last call, and what the command waits for."""
        try:
            found = await self._schema.read()
        except DatabaseError:
            return
        self.log_applied()
        run = found.run
        blocked = run is not None and run.blocked_since is not None
        if run is not None and blocked and not self._blocked:
            LOG.warning("migrate is blocked: %s", describe_run(run))
        self._blocked = blocked

    def log_applied(self) -> None:
        """Log each applied migration that was not logged before."""
        for applied in self._schema.list_applied(self._logged_count):
            duration = "" if applied.took is None else f" in {applied.took:.3g} s"
            facts = {"migration": applied.key, "seconds": applied.took}
            LOG.info("applied %s%s", applied.key, duration, extra={"facts": facts})
        self._logged_count = self._schema.applied_count

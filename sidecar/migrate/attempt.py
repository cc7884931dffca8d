"""One attempt at migrating: the command runs, while its turn and its progress are watched."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from sidecar.core.views.text import run_line
from sidecar.databases.base import Turn
from sidecar.errors import DatabaseError, DatabaseTimeout
from sidecar.migrate import process as child
from sidecar.migrate.process import Child
from sidecar.migrate.progress import Schema

LOG = logging.getLogger("sidecar.migrate")

BEAT: Final = 1.0
"""Seconds between two questions whether the turn is still ours."""

SILENCES: Final = 5
"""So many questions in a row without an answer, and the turn counts as lost."""


class Attempt:
    """A command and what became of it."""

    def __init__(self, schema: Schema, turn: Turn) -> None:
        """Take what is watched; the command ends when its turn is lost."""
        self._schema = schema
        self._turn = turn
        self._seen = schema.seen
        self._blocked = False
        self.lost = False
        """Whether the turn was lost and the command therefore stopped."""
        self.heard = ""
        """The end of what the command wrote to standard error."""

    async def run(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        started: Callable[[Child], None],
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
        self.heard = running.heard()
        return code

    async def _watch(self, running: Child) -> None:
        silences = 0
        while True:
            await asyncio.sleep(BEAT)
            try:
                why = "" if await self._turn.held() else "its session is gone"
                silences = 0
            except DatabaseTimeout as error:
                silences += 1
                why = str(error) if silences == SILENCES else ""
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
            sight = await self._schema.look()
        except DatabaseError:
            return
        self.tell_applied()
        run = sight.run
        blocked = run is not None and run.blocked_since is not None
        if run is not None and blocked and not self._blocked:
            LOG.warning("migrate is blocked: %s", run_line(run))
        self._blocked = blocked

    def tell_applied(self) -> None:
        """Log each migration that was not told before."""
        for applied in self._schema.applied_after(self._seen):
            took = "" if applied.took is None else f" in {applied.took:.3g} s"
            facts = {"migration": applied.key, "seconds": applied.took}
            LOG.info("applied %s%s", applied.key, took, extra={"facts": facts})
        self._seen = self._schema.seen

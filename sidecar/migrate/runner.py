"""One run of migrate: the queue, the attempts, the verdict on them."""

import asyncio
import logging
import os
import signal
import time
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from sidecar.core.gate.database_status import Needs
from sidecar.core.gate.state import Policy
from sidecar.core.migrations.compare import Verdict
from sidecar.core.migrations.manifest import Key, Manifest
from sidecar.core.views.exit_code import exit_code
from sidecar.databases.base import (
    Address,
    MigrationLock,
    StatementTimeouts,
    connect,
    create_migration_lock,
)
from sidecar.errors import DatabaseError, Interrupted
from sidecar.migrate.attempt import Attempt
from sidecar.migrate.lock_wait import LockWait
from sidecar.migrate.process import FORWARDED, CommandProcess
from sidecar.migrate.progress import Schema, SchemaRead
from sidecar.migrate.report import Report, Result
from sidecar.migrate.retry import POOLER, Failure, failure

LOG = logging.getLogger("sidecar.migrate")

BACKOFF: Final = 1.0
"""Seconds before the second attempt; each further one waits twice as long."""

CONFLICT_TIMEOUT: Final = 10.0
"""Seconds that a migration which failed half-way is given to be recorded by who was faster."""

FINAL_READ_TIMEOUT: Final = 60.0
"""Seconds that the database is given to answer after the command has ended."""


Judge = Callable[[Sequence[Key]], Verdict]


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator decided about a run; durations in seconds."""

    command: Sequence[str]
    database: str
    """The alias of Django's DATABASES that is migrated."""
    needs: Needs
    policy: Policy
    lock_timeout: float | None
    statement_timeouts: StatementTimeouts
    pgoptions: bool
    """Whether the command gets PGOPTIONS."""
    retries: int


class Runner:
    """One run: the queue, the attempts, the report."""

    def __init__(
        self, options: Options, address: Address, judge: Judge, manifest: Manifest
    ) -> None:
        """Put the parts together; raises UsageError if the address cannot be meant."""
        self._options = options
        self._manifest = manifest
        self._schema = Schema(options.database, connect(address), judge, options.needs)
        self._lock: MigrationLock = create_migration_lock(address)
        self._lock_wait = LockWait(self._schema, self._lock, options.lock_timeout)
        self._child: CommandProcess | None = None
        self._signal: int | None = None
        self._attempts = 0
        self._waited = 0.0

    async def run(self) -> Report:
        """Migrate; return what was done."""
        self._listen()
        try:
            return await self._run()
        except asyncio.CancelledError:
            if self._signal is None:
                raise
            raise Interrupted(self._signal) from None
        finally:
            await self._lock.release()
            await self._schema.release()

    async def _run(self) -> Report:
        began, seen, owed = time.time(), 0, False
        while True:
            asked = time.monotonic()
            found = await self._lock_wait.wait(force=owed)
            self._waited += time.monotonic() - asked
            if found is None:
                return await self._nothing_to_do(began)
            if not self._attempts:
                began, seen = time.time(), self._schema.seen
            code, attempt = await self._attempt(found)
            last = await self._last_look()
            attempt.tell_applied()
            why = Failure.LOST if attempt.lost else failure(attempt.stderr_tail) if code else None
            owed = last is not None and not last.verdict.plan
            if not code or not await self._again(why, found, last):
                break
            await self._lock.release()
        result, code = self._judged(code, attempt, last)
        pooled = code != 0 and POOLER in attempt.stderr_tail
        return self._report(result, code, began, seen, last, why, pooled=pooled)

    async def _nothing_to_do(self, began: float) -> Report:
        last = await self._last_look()
        return self._report(Result.NOTHING_TO_DO, self._verdict(last), began, 0, last)

    async def _attempt(self, found: SchemaRead) -> tuple[int, Attempt]:
        self._attempts += 1
        plan = found.verdict.plan
        what = f"{len(plan)} pending, next {plan[0]}" if plan else "nothing pending"
        LOG.info("migrating: %s", what)
        self._schema.run_since = time.time()
        environment = self._lock.environment(self._options.statement_timeouts)
        if not self._options.pgoptions:
            environment.pop("PGOPTIONS", None)
        attempt = Attempt(self._schema, self._lock)
        try:
            return await attempt.run(self._options.command, environment, self._started), attempt
        finally:
            self._child = None

    async def _again(
        self, why: Failure | None, before: SchemaRead, last: SchemaRead | None
    ) -> bool:
        """Tell whether to try once more, after a pause."""
        if why is None or self._signal or self._attempts > self._options.retries:
            return False
        nodes = self._manifest.nodes
        if last is None:
            # Nobody knows where it stopped.
            if not all(nodes[key].atomic for key in before.verdict.plan):
                return False
        elif last.verdict.plan:
            stopped = last.verdict.plan[0]
            careful = why is Failure.CONFLICT or not nodes[stopped].atomic
            if careful and not await self._passed(stopped):
                return False
        pause = BACKOFF * 2 ** (self._attempts - 1)
        LOG.warning("attempt %d failed: %s; again in %g s", self._attempts, why, pause)
        await asyncio.sleep(pause)
        return True

    async def _passed(self, migration: str) -> bool:
        """Tell whether somebody else records a migration of which a part may be ours."""
        for _ in range(int(CONFLICT_TIMEOUT)):
            await asyncio.sleep(1)
            found = await self._last_look()
            if found is not None and migration not in found.verdict.plan:
                return True
        return False

    async def _last_look(self) -> SchemaRead | None:
        """Look; a database that is only restarting is given time."""
        try:
            async with asyncio.timeout(FINAL_READ_TIMEOUT):
                while True:
                    try:
                        return await self._schema.look()
                    except DatabaseError as error:
                        LOG.warning("waiting for the database: %s", error)
                        await asyncio.sleep(1)
        except TimeoutError:
            return None

    def _judged(self, code: int, attempt: Attempt, last: SchemaRead | None) -> tuple[Result, int]:
        if attempt.lost:
            return Result.LOST_LOCK, code or 1
        if code:
            return (Result.INTERRUPTED if self._signal else Result.FAILED), code
        verdict = self._verdict(last)
        return (Result.INCOMPLETE if verdict else Result.APPLIED), verdict

    def _verdict(self, found: SchemaRead | None) -> int:
        return (
            DatabaseError.exit_code
            if found is None
            else exit_code(found.look, self._options.policy)
        )

    def _report(  # noqa: PLR0913 - what a run was, in one place
        self,
        result: Result,
        code: int,
        began: float,
        seen: int,
        last: SchemaRead | None,
        why: Failure | None = None,
        *,
        pooled: bool = False,
    ) -> Report:
        nothing = result is Result.NOTHING_TO_DO
        return Report(
            result=result,
            exit_code=code,
            database=self._options.database,
            began=began,
            ended=time.time(),
            waited=self._waited,
            attempts=self._attempts,
            failure=why,
            pooled=pooled,
            applied=() if nothing else self._schema.applied_after(seen),
            verdict=last.verdict if last else None,
            schema=last.schema if last else None,
        )

    def _started(self, running: CommandProcess) -> None:
        self._child = running
        if self._signal is not None:
            running.send(self._signal)

    def _listen(self) -> None:
        """Pass signals on to the command; without one, they end us."""
        task, loop = asyncio.current_task(), asyncio.get_running_loop()

        def on(number: int) -> None:
            from_terminal = number in {signal.SIGINT, signal.SIGQUIT} and _in_foreground()
            ends = number not in {signal.SIGUSR1, signal.SIGUSR2}
            self._signal = number if ends else self._signal
            if self._child is None:
                if ends and task is not None:
                    task.cancel()
            elif not from_terminal:  # A terminal has sent it to the whole foreground group.
                self._child.send(number)

        for number in FORWARDED:
            loop.add_signal_handler(number, on, number)


def _in_foreground() -> bool:
    """Tell whether a terminal sends its signals to us, and so to the command, too."""
    try:
        return os.tcgetpgrp(0) == os.getpgrp()
    except OSError:
        return False

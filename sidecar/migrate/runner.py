"""A migrate run: waits for the migration lock, runs the command until it is done, and reports."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence

import msgspec

from sidecar.clock import SystemClock
from sidecar.core.gate.database_status import RequiredSchemas
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
from sidecar.errors import ExitCode, Interrupted
from sidecar.migrate.attempt import Attempt
from sidecar.migrate.lock_wait import LockWait
from sidecar.migrate.progress import SchemaProgress, SchemaRead
from sidecar.migrate.report import Report, Result
from sidecar.migrate.retry import (
    OPTIONS_REFUSED,
    Failure,
    Retry,
    classify_failure,
    pause_before_retry,
)
from sidecar.migrate.signals import SignalForwarder

LOG = logging.getLogger("sidecar.migrate")

Judge = Callable[[Sequence[Key]], Verdict]


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator decided about a migrate run; durations in seconds."""

    command: Sequence[str]
    database: str
    """The alias of Django's DATABASES that is migrated."""
    required: RequiredSchemas
    policy: Policy
    lock_timeout: float | None
    statement_timeouts: StatementTimeouts
    pgoptions: bool
    """Whether the command gets PGOPTIONS."""
    retries: int


class Runner:
    """One migrate run, with all its attempts."""

    def __init__(
        self, options: Options, address: Address, judge: Judge, manifest: Manifest
    ) -> None:
        """Put the parts together. Raises UsageError if the database's URL is invalid."""
        self._options = options
        self._schema = SchemaProgress(
            options.database, connect(address), judge, options.required, SystemClock()
        )
        self._lock: MigrationLock = create_migration_lock(address)
        self._lock_wait = LockWait(self._schema, self._lock, options.lock_timeout)
        self._retry = Retry(self._schema, manifest.nodes, options.retries)
        self._signals = SignalForwarder()
        self._began = 0.0
        self._applied_before = 0
        self._attempts = 0
        self._waited = 0.0

    async def run(self) -> Report:
        """Migrate; return what was done.

        Raises Interrupted if a signal arrived while no command was running, and what waiting
        for the lock and starting the command raise.
        """
        self._signals.install()
        try:
            return await self._run()
        except asyncio.CancelledError:
            if self._signals.ended_by is None:
                raise
            raise Interrupted(self._signals.ended_by) from None
        finally:
            await self._lock.release()
            await self._schema.release()

    async def _run(self) -> Report:
        self._began = time.time()
        force = False
        while True:
            before = await self._wait_for_lock(force=force)
            if before is None:
                last = await self._schema.read_final()
                return self._report(Result.NOTHING_TO_DO, self._choose_exit_code(last), last)
            if not self._attempts:
                self._began, self._applied_before = time.time(), self._schema.applied_count
            code, attempt = await self._attempt(before)
            last = await self._schema.read_final()
            attempt.log_applied()
            failure = _classify(code, attempt)
            # With all rows there, what failed came after them (post_migrate): it must run again.
            force = last is not None and not last.verdict.plan
            if not code or not await self._should_retry(failure, before, last):
                return self._report_end(code, attempt, failure, last)
            await self._lock.release()

    async def _wait_for_lock(self, *, force: bool) -> SchemaRead | None:
        started = time.monotonic()
        found = await self._lock_wait.wait(force=force)
        self._waited += time.monotonic() - started
        return found

    async def _attempt(self, before: SchemaRead) -> tuple[int, Attempt]:
        """Run the command once; return its exit code and the attempt."""
        self._attempts += 1
        plan = before.verdict.plan
        pending = f"{len(plan)} pending, next {plan[0]}" if plan else "nothing pending"
        LOG.info("migrating: %s", pending)
        self._schema.note_start(time.time())
        environment = self._lock.environment(self._options.statement_timeouts)
        if not self._options.pgoptions:
            environment.pop("PGOPTIONS", None)
        attempt = Attempt(self._schema, self._lock)
        try:
            code = await attempt.run(self._options.command, environment, self._signals.attach)
        finally:
            self._signals.detach()
        return code, attempt

    async def _should_retry(
        self, failure: Failure | None, before: SchemaRead, last: SchemaRead | None
    ) -> bool:
        """Return whether to try again, after the pause that precedes the next attempt."""
        if failure is None or self._signals.ended_by is not None:
            return False
        if not await self._retry.should_retry(failure, self._attempts, before, last):
            return False
        await pause_before_retry(failure, self._attempts)
        return True

    def _report_end(
        self,
        code: int,
        attempt: Attempt,
        failure: Failure | None,
        last: SchemaRead | None,
    ) -> Report:
        """Return the report after the last attempt, whose command exited with `code`."""
        if attempt.lost_lock:
            result, code = Result.LOST_LOCK, code or ExitCode.ERROR
        elif code:
            result = Result.FAILED if self._signals.ended_by is None else Result.INTERRUPTED
        else:
            code = self._choose_exit_code(last)
            result = Result.INCOMPLETE if code else Result.APPLIED
        return msgspec.structs.replace(
            self._report(result, code, last),
            failure=failure,
            options_refused=code != 0 and OPTIONS_REFUSED in attempt.stderr_tail,
            applied=self._schema.list_applied(self._applied_before),
        )

    def _report(self, result: Result, code: int, last: SchemaRead | None) -> Report:
        return Report(
            result=result,
            exit_code=code,
            database=self._options.database,
            began=self._began,
            ended=time.time(),
            waited=self._waited,
            attempts=self._attempts,
            verdict=last.verdict if last else None,
            schema=last.schema if last else None,
        )

    def _choose_exit_code(self, last: SchemaRead | None) -> int:
        """Return the exit code of the verdict, as `sidecar check` has it."""
        if last is None:
            return ExitCode.DATABASE
        return exit_code(last.poll_result, self._options.policy)


def _classify(code: int, attempt: Attempt) -> Failure | None:
    if attempt.lost_lock:
        return Failure.LOST
    return classify_failure(attempt.stderr_tail) if code else None

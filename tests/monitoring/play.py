"""A deploy with all that can go wrong, played before a real Prometheus.

The old release serves; the new one starts behind. Its first migrate fails, the second is blocked,
then runs. The old release lingers. The schema is rolled back, goes forward, the database is away
for a while, and one replica reads a stale copy.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from monitoring.stage import Stage
from support.process import until
from support.proxy import Mode


@dataclass
class Play:
    """What was seen; a patient play also waits until every alert has fired."""

    stage: Stage
    patient: bool
    report: Callable[[str], None] = lambda _: None
    began: float = field(default_factory=time.time)
    fired: dict[str, float] = field(default_factory=dict)
    """Alerts, with the seconds from what caused them until they fired."""
    at_peace: set[str] = field(default_factory=set)
    """Alerts that fired while all was well."""
    slow: float = 0.0
    """How long the slow migration took, as the sidecar has seen it."""

    def act(self) -> None:
        """Play everything."""
        for scene in (
            self._waits,
            self._fails,
            self._is_blocked,
            self._lingers,
            self._goes_back,
            self._is_away,
            self._is_stale,
            self._cannot_write,
            self._contradicts,
            self._is_gone,
        ):
            self.report((scene.__doc__ or "").rstrip("."))
            scene()
        self.ended = time.time()

    def _expect(self, *alerts: str) -> None:
        """Wait until these alerts fire, or in haste until everything was scraped twice."""
        began = time.monotonic()
        if not self.patient:
            time.sleep(1.5)
            return
        for alert in alerts:
            until(partial(self._is_firing, alert), f"{alert} fires", within=90)
            self.fired[alert] = time.monotonic() - began

    def _is_firing(self, alert: str) -> bool:
        return alert in self.stage.prometheus.firing()

    def _waits(self) -> None:
        """The old release serves, and the new one waits for its migrations."""
        stage = self.stage
        stage.start("old", "1.0")
        stage.until_phase("open", "old")
        stage.start("a", "2.0")
        stage.start("b", "2.0")
        stage.until_phase("waiting", "a", "b")
        self._expect("DjangoSchemaBehind", "DjangoSchemaStalled")

    def _fails(self) -> None:
        """The first run of sidecar migrate fails."""
        run = self.stage.sidecar_migrate("false")
        run.communicate()
        assert run.returncode != 0
        self._expect("DjangoSchemaMigrateFailed")

    def _is_blocked(self) -> None:
        """The second run waits for a report that reads the orders, then migrates."""
        stage = self.stage
        with stage.server.connect("shop") as report:
            report.execute("BEGIN")
            report.execute("LOCK TABLE orders_order IN ACCESS SHARE MODE")
            run = stage.sidecar_migrate()
            until(lambda: self._migrate_is_blocked("a"), "the run is blocked")
            self._expect("DjangoSchemaMigrateBlocked")
            report.execute("ROLLBACK")
        _, errors = run.communicate()
        assert run.returncode == 0, errors
        stage.until_phase("open", "a", "b")
        (target,) = stage.sidecars["a"].status()["targets"]
        (self.slow,) = (
            entry["seconds"]
            for entry in target["timeline"]
            if entry["migration"] == "orders.0011_fill_order_totals"
        )

    def _migrate_is_blocked(self, name: str) -> bool:
        (target,) = self.stage.sidecars[name].status()["targets"]
        return bool(target["migrate"] and target["migrate"]["blocked_since"])

    def _lingers(self) -> None:
        """Pods of the old release serve on, on a schema that is ahead of them."""
        self._expect("DjangoSchemaAhead", "DjangoSchemaManifestsDiffer")
        self.stage.stop("old")
        if self.patient:
            # The windows of rate() and `for` are over, and nothing is wrong.
            time.sleep(5)
        self.at_peace = self.stage.prometheus.firing()

    def _goes_back(self) -> None:
        """The last migrations are rolled back under the new release, and applied again."""
        stage = self.stage
        stage.database.migrate("orders", "0010")
        stage.until_phase("closed", "a", "b")
        self._expect("DjangoSchemaNothingReady")
        stage.database.migrate()
        stage.until_phase("open", "a", "b")

    def _is_away(self) -> None:
        """The database cannot be reached; open gates hold."""
        self.stage.proxy.mode = Mode.REFUSE
        self.stage.until_phase("holding", "a", "b")
        self._expect("DjangoSchemaDatabaseUnreachable")
        self.stage.proxy.mode = Mode.PASS
        self.stage.until_phase("open", "a", "b")

    def _is_stale(self) -> None:
        """A third replica reads a stale copy of the database."""
        self.stage.start("c", "2.0", database="stale")
        self.stage.until_phase("waiting", "c")
        self._expect("DjangoSchemaReplicasDisagree")
        self.stage.stop("c")

    def _cannot_write(self) -> None:
        """A third replica has no folder for its state file."""
        self.stage.start("c", "2.0", f"--state-file={self.stage.folder / 'gone' / 'state'}")
        self.stage.until_phase("open", "c")
        self._expect("DjangoSchemaOutputFailing")
        self.stage.stop("c")

    def _contradicts(self) -> None:
        """A row in the middle of the history is deleted by hand, and put back."""
        database = self.stage.database
        database.execute("DELETE FROM django_migrations WHERE name = '0010_order_total'")
        self.stage.until_phase("closed", "a", "b")
        self._expect("DjangoSchemaInconsistent")
        database.execute(
            "INSERT INTO django_migrations (app, name, applied) "
            "VALUES ('orders', '0010_order_total', now())"
        )
        self.stage.until_phase("open", "a", "b")

    def _is_gone(self) -> None:
        """Every sidecar ends."""
        self.stage.stop("a", "b")
        self._expect("DjangoSchemaSidecarAbsent")

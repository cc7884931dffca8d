"""The outlets one by one: log, memory, metrics, listening addresses, verbose text."""

import logging
import socket
import stat
import subprocess
from pathlib import Path

import pytest
from msgspec.structs import replace

from sidecar.core.gate.machine import begin, step
from sidecar.core.gate.snapshot import Identity, Snapshot, Target
from sidecar.core.gate.state import Event, Look, Policy
from sidecar.core.migrations.compare import Outcome, compare
from sidecar.core.migrations.manifest import Key
from sidecar.core.migrations.timeline import Applied
from sidecar.core.reason import Reason
from sidecar.errors import UsageError
from sidecar.outputs.change_log import ChangeLog
from sidecar.outputs.http.app import verbose
from sidecar.outputs.http.listen import bind, shown, split
from sidecar.outputs.metrics.collector import Metrics
from sidecar.outputs.state_file import Memory
from support import needs
from support.manifests import chain, keys, manifest
from support.project import REPOSITORY

SHOP = manifest(*chain("shop", *(f"{n:04}" for n in range(1, 9))))
GOOD = Look(at=1.0, outcome=Outcome.CURRENT)
BEHIND = Look(at=2.0, outcome=Outcome.BEHIND)
FIXED, PER_DATABASE, PER_APP = 30, 60, 4
DOWN = Look(at=3.0, failure=Reason.DATABASE_UNREACHABLE)


def snapshot(*events: Event, rows: int = 8, failure: Reason | None = None) -> Snapshot:
    gate = begin(0.0)
    for event in events:
        gate = step(gate, event, Policy())
    verdict = compare(SHOP, keys(*list(SHOP.nodes)[:rows]))
    target = Target(
        database="default",
        verdict=verdict,
        failure=failure,
        message="db: refused" if failure else None,
        looks=len(events),
        looked_at=gate.since,
        took=0.002,
    )
    return Snapshot(
        gate=gate,
        targets=(target,),
        identity=Identity("1.0", "sha256:0", "5.2"),
        epoch=1_700_000_000.0,
        started_at=0.0,
    )


def test_the_log_tells_changes_and_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    """A thousand looks that say the same are one line; a worse state is a warning."""
    log = ChangeLog()
    with caplog.at_level(logging.INFO, logger="sidecar.gate"):
        for _ in range(1000):
            log.announce(snapshot(GOOD))
        log.announce(snapshot(GOOD, DOWN, failure=Reason.DATABASE_UNREACHABLE))
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("INFO", "gate open: schema_current"),
        ("WARNING", "gate holding: schema_current (holding: database_unreachable): db: refused"),
    ]


def test_memory_keeps_the_manifest_of_an_open_gate(tmp_path: Path) -> None:
    """It remembers after opening, only for that manifest, and forgets after closing."""
    memory = Memory(tmp_path / "state")
    assert not memory.remembers("sha256:0")
    memory.announce(snapshot(GOOD))
    memory.announce(snapshot(GOOD, DOWN))
    again = Memory(tmp_path / "state")
    assert again.remembers("sha256:0")
    assert not again.remembers("sha256:1")
    again.announce(snapshot(GOOD, BEHIND, BEHIND))
    assert not again.remembers("sha256:0")
    assert list(tmp_path.iterdir()) == []


def test_memory_that_cannot_be_written_is_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A missing folder must not keep a gate from opening; it is said once."""
    memory = Memory(tmp_path / "gone" / "state")
    for _ in range(3):
        memory.announce(snapshot(GOOD))
    (record,) = caplog.records
    assert "cannot be written: No such file or directory" in record.getMessage()


def test_memory_does_not_trust_garbage(tmp_path: Path) -> None:
    """A state file of another kind is as good as none."""
    (tmp_path / "state").write_bytes(b"\xff\x00")
    assert not Memory(tmp_path / "state").remembers("sha256:0")
    assert not Memory(Path("/dev/zero")).remembers("sha256:0")


@pytest.mark.prometheus
def test_metrics_are_what_promtool_expects() -> None:
    """Names, types and help texts follow the Prometheus conventions."""
    metrics = Metrics("0.1.0")
    metrics.announce(snapshot(GOOD))
    body, content_type = metrics.render("")
    assert content_type.startswith("text/plain")
    needs.program("prometheus", "promtool")
    ended = subprocess.run(
        ["promtool", "check", "metrics"], check=False, input=body, capture_output=True
    )
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_metrics_are_rendered_once_for_each_snapshot() -> None:
    """A second scrape of the same snapshot costs nothing; a new one shows at once."""
    metrics = Metrics("0.1.0")
    metrics.announce(snapshot(BEHIND, rows=3))
    first, _ = metrics.render("")
    assert metrics.render("")[0] is first
    assert b'django_schema_migrations{app="shop",database="default",status="pending"} 5.0' in first
    metrics.announce(snapshot(GOOD))
    assert b'status="pending"} 0.0' in metrics.render("")[0]


def test_metrics_count_looks_and_transitions() -> None:
    """Each look counts once with its result, each change of state once."""
    metrics = Metrics("0.1.0")
    opened, held = snapshot(GOOD), snapshot(GOOD, DOWN, failure=Reason.DATABASE_UNREACHABLE)
    for told in (opened, opened, held):
        metrics.announce(told)
    text = metrics.render("")[0].decode()
    assert 'django_schema_checks_total{database="default",result="ok"} 1.0' in text
    assert 'checks_total{database="default",result="database_unreachable"} 1.0' in text
    assert 'django_schema_gate_transitions_total{to="holding"} 1.0' in text
    assert 'django_schema_check_duration_seconds_count{database="default"} 2.0' in text
    assert "_created" not in text


def test_a_look_that_could_not_read_every_schema_is_no_ok() -> None:
    """Whichever schema it was, however the names sort."""
    metrics, read = Metrics("0.1.0"), snapshot(GOOD)
    (target,) = read.targets
    locked = replace(target, failure=Reason.DATABASE_TIMEOUT)
    for looks, targets in ((1, (target, locked)), (2, (locked, target))):
        looked = tuple(replace(each, looks=looks) for each in targets)
        metrics.announce(replace(read, targets=looked))
    text = metrics.render("")[0].decode()
    assert 'checks_total{database="default",result="database_timeout"} 2.0' in text
    assert 'checks_total{database="default",result="ok"} 0.0' in text


def test_metrics_count_each_migration_that_was_seen_once() -> None:
    """What was there before does not count, what is new counts once, also without a duration."""
    metrics = Metrics("0.1.0")
    first = snapshot(GOOD)
    (target,) = first.targets
    before, one, two = (Applied(Key(f"shop.000{n}"), 9.0 + n, took) for n, took in
                        ((1, None), (2, 0.3), (3, 20.0)))  # fmt: skip
    for applied, seen in (((before,), 0), ((before, one), 1), ((before, one), 1),
                          ((before, one, two), 2)):  # fmt: skip
        changed = replace(target, timeline=applied, seen=seen)
        metrics.announce(replace(first, targets=(changed,)))
    text = metrics.render("")[0].decode()
    assert 'migration_duration_seconds_count{database="default"} 2.0' in text
    assert 'migration_duration_seconds_sum{database="default"} 20.3' in text
    assert 'migration_duration_seconds_bucket{database="default",le="0.5"} 1.0' in text


def test_series_do_not_grow_with_migrations() -> None:
    """The number of series depends on databases and apps, as docs/metrics.md promises."""
    metrics = Metrics("0.1.0")
    metrics.announce(snapshot(BEHIND, rows=3))
    text = metrics.render("")[0].decode()
    series = [line for line in text.splitlines() if not line.startswith("#")]
    assert len(series) <= FIXED + PER_DATABASE + PER_APP
    promised = f"**{FIXED} + {PER_DATABASE} per database + {PER_APP} per app of each database**"
    assert promised in (REPOSITORY / "docs" / "metrics.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("accept", ["", "application/openmetrics-text;version=1.0.0"])
def test_what_is_written_anew_is_all_that_has_changed(accept: str) -> None:
    """Only the families that have changed are written; no scraper can tell."""
    metrics, each = Metrics("0.1.0"), (snapshot(), snapshot(BEHIND, rows=3), snapshot(GOOD))
    for number, one in enumerate(each, 1):
        metrics.announce(one)
        fresh = Metrics("0.1.0")
        for earlier in each[:number]:
            fresh.announce(earlier)
        assert metrics.render(accept) == fresh.render(accept)


def test_two_sets_of_metrics_do_not_bleed() -> None:
    """Each sidecar in a process has metrics of its own."""
    one, other = Metrics("1"), Metrics("2")
    one.announce(snapshot(GOOD))
    assert b"\ndjango_schema_ready 1.0\n" in one.render("")[0]
    assert b"\ndjango_schema_ready " not in other.render("")[0]


def test_verbose_names_a_few_and_counts_the_rest() -> None:
    """One glance: each check, what is pending, since when, and what to do."""
    assert verbose(snapshot(BEHIND, rows=1)) == (
        "[-]default schema_behind: 7 pending, next shop.0002\n"
        "    pending shop.0002\n"
        "    pending shop.0003\n"
        "    pending shop.0004\n"
        "    pending shop.0005\n"
        "    pending shop.0006\n"
        "    and 2 more\n"
        "readyz check failed: schema_behind since 2023-11-14T22:13:22.000Z\n"
        "next: apply the migrations: python manage.py migrate\n"
    )
    held = verbose(snapshot(GOOD, DOWN, failure=Reason.DATABASE_UNREACHABLE))
    assert held == (
        "[+]default ok, warning: database_unreachable: db: refused\n"
        "readyz check passed: schema_current, holding: database_unreachable"
        " since 2023-11-14T22:13:23.000Z\n"
        "next: check that the database runs and that this host may reach it\n"
    )


@pytest.mark.parametrize(
    ("address", "host", "port"),
    [
        ("127.0.0.1:80", "127.0.0.1", 80),
        ("[::1]:80", "::1", 80),
        ("[::]:8089", "::", 8089),
        (":8089", "", 8089),
        ("8089", "", 8089),
        ("::1:80", "::1", 80),
    ],
)
def test_addresses_are_read_as_people_write_them(address: str, host: str, port: int) -> None:
    """Host and port, IPv6 in brackets or not, or a port alone."""
    assert split(address) == (host, port)


@pytest.mark.parametrize("address", ["", "host", "host:", "host:http", "host:70000", "host:-1"])
def test_an_address_without_a_port_is_refused(address: str) -> None:
    """One line that shows the address."""
    with pytest.raises(UsageError, match="cannot listen on"):
        split(address)


def test_any_address_means_both_families() -> None:
    """[::]:0 takes IPv4 as well, and is shown as an address that works."""
    with bind("[::]:0") as bound:
        port = bound.getsockname()[1]
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        assert shown(bound) == f"http://localhost:{port}"


def test_a_socket_file_in_use_is_not_taken_over(tmp_path: Path) -> None:
    """A live listener keeps its file, a dead one's is replaced, and no other file is removed."""
    address = f"unix:{tmp_path}/s"
    with bind(address), pytest.raises(UsageError, match="in use"):
        bind(address)
    with bind(address) as bound:
        assert shown(bound) == address
        assert stat.S_ISSOCK((tmp_path / "s").stat().st_mode)
    (tmp_path / "file").write_text("precious")
    with pytest.raises(UsageError):
        bind(f"unix:{tmp_path}/file")
    assert (tmp_path / "file").read_text() == "precious"

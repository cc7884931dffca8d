"""A real sidecar beside a real database and a real Django project."""

import re
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from sidecar.core.gate.state import Phase
from support import project
from support.database import Database, add_database
from support.postgres import Server
from support.process import PATIENCE, Sidecar, ask, until

SESSIONS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'migration-sidecar'"


def series(text: str, name: str) -> dict[str, float]:
    """Return a metric's samples by their labels."""
    found = re.findall(rf"^django_schema_{name}(?:{{(.*)}})? (\S+)$", text, re.MULTILINE)
    return {labels: float(value) for labels, value in found}


def test_traffic_arrives_only_after_the_last_migration(database: Database, manifest: Path) -> None:
    """503 with what is pending, 503 while migrating, 200 a moment after the last one."""
    with Sidecar(manifest, url=database.reader) as sidecar:
        until(lambda: "schema_behind" in sidecar.get("/readyz")[1], "it has looked")
        status, body = sidecar.get("/readyz?verbose")
        assert status == 503
        assert body.startswith(
            "[-]default schema_behind: 45 pending, next contenttypes.0001_initial\n"
        )
        assert "and 40 more\nreadyz check failed: schema_behind since 20" in body
        assert body.endswith("next: apply the migrations: python manage.py migrate\n")
        assert sidecar.get("/startupz")[0] == 503
        assert sidecar.get("/livez") == (200, "ok\n")

        database.migrate("orders", project.BEFORE_LEAF.partition(".")[2])
        assert sidecar.get("/readyz")[0] == 503
        database.migrate()
        until(sidecar.ready, "the gate opens", within=5)

        assert sidecar.get("/readyz") == (200, "schema_current\n")
        assert sidecar.get("/startupz")[0] == 200
        assert sidecar.get("/readyz?verbose")[1].startswith("[+]default ok\nreadyz check passed")
        phases = [line["phase"] for line in sidecar.log if "phase" in line]
        assert phases == ["starting", "waiting", "open"], "one line per change, and no more"


def test_an_open_gate_holds_no_connection(migrated: Database, manifest: Path) -> None:
    """Between looks pg_stat_activity shows nothing of an open sidecar."""
    with Sidecar(manifest, url=migrated.reader) as sidecar:
        until(sidecar.ready, "the gate opens")
        mine = f"{SESSIONS} AND datname = '{migrated.name}'"
        until(lambda: migrated.execute(mine) == [(0,)], "the connection is let go", within=2)


def test_a_rollback_closes_the_gate_and_forward_opens_it(
    migrated: Database, manifest: Path
) -> None:
    """One migration rolled back under an open gate closes it after a second look."""
    with Sidecar(manifest, "--interval=200ms", url=migrated.reader) as sidecar:
        until(sidecar.ready, "the gate opens")
        migrated.migrate("orders", project.BEFORE_LEAF.partition(".")[2])
        until(lambda: not sidecar.ready(), "the gate closes", within=5)
        assert sidecar.status()["targets"][0]["pending"] == [project.LEAF]
        assert sidecar.get("/startupz")[0] == 200, "the app has started, and stays so"
        migrated.migrate()
        until(sidecar.ready, "the gate opens again", within=10)


def test_a_newer_release_leaves_the_gate_open(migrated: Database, manifest: Path) -> None:
    """Rows that this release does not know make it ahead, which is ready, and is told."""
    migrated.execute(
        "INSERT INTO django_migrations (app, name, applied) VALUES ('orders', '0013_new', now())"
    )
    with Sidecar(manifest, url=migrated.reader) as sidecar:
        until(sidecar.ready, "the gate opens")
        assert sidecar.get("/readyz")[1] == "schema_ahead\n"
        assert "1 newer, last orders.0013_new" in sidecar.get("/readyz?verbose")[1]
    with Sidecar(manifest, "--on-ahead=not_ready", url=migrated.reader) as sidecar:
        until(lambda: "schema_ahead" in sidecar.get("/readyz")[1], "it has looked")
        assert not sidecar.ready()


@pytest.mark.parametrize("fault", ["pause", "kill"])
def test_an_outage_holds_an_open_gate_and_ends_by_itself(manifest: Path, fault: str) -> None:
    """With PostgreSQL stopped or killed, readiness stays 200 with a warning, and recovers."""
    with Server() as server:
        database = add_database(server, "shop")
        database.migrate()
        flags = ("--interval=100ms", "--read-timeout=3s", "--connect-timeout=3s")
        with Sidecar(manifest, *flags, url=database.reader) as sidecar:
            until(sidecar.ready, "the gate opens")
            getattr(server, fault)()
            until(lambda: "warning" in sidecar.get("/readyz?verbose")[1], "it warns")
            status, body = sidecar.get("/readyz?verbose")
            assert status == 200
            assert "[+]default ok, warning: database_" in body
            assert "holding: database_" in body
            assert sidecar.get("/livez")[0] == 200
            metrics = sidecar.get("/metrics")[1]
            assert series(metrics, "up") == {'database="default"': 0.0}
            assert series(metrics, "ready") == {"": 1.0}
            if fault == "pause":
                server.resume()
            else:
                server.start()
            until(lambda: sidecar.status()["phase"] == "open", "it recovers", within=20)
            assert sidecar.ready()


def test_metrics_are_not_packed_for_who_refuses_it(database: Database, manifest: Path) -> None:
    """`q=0` means never (RFC 9110, 12.4.2)."""
    with Sidecar(manifest, url=database.reader) as sidecar:
        for wanted, packed in (("gzip", "gzip"), ("gzip;q=0", None)):
            headers = {"Accept-Encoding": wanted}
            asked = Request(f"{sidecar.url}/metrics", headers=headers)  # noqa: S310
            with urlopen(asked, timeout=5 * PATIENCE) as answer:  # noqa: S310
                assert answer.headers["Content-Encoding"] == packed


def test_metrics_say_what_the_gate_says(database: Database, manifest: Path) -> None:
    """Expected is applied plus pending plus hidden by app, phase is one-hot, no name is a label."""
    with Sidecar(manifest, url=database.reader) as sidecar:
        until(lambda: "schema_behind" in sidecar.get("/readyz")[1], "it has looked")
        metrics = sidecar.get("/metrics")[1]
        phases = series(metrics, "phase")
        assert sorted(phases) == sorted(f'phase="{phase}"' for phase in Phase)
        assert [name for name, value in phases.items() if value] == ['phase="waiting"']
        expected = series(metrics, "expected_migrations")
        by_status = series(metrics, "migrations")
        for labels, count in expected.items():
            app = labels.partition(",")[0]
            assert sum(n for names, n in by_status.items() if names.startswith(app + ",")) == count
        assert sum(expected.values()) == 45
        targets = series(metrics, "targets")
        assert len(targets) == 6
        assert [name for name, value in targets.items() if value] == [
            'database="default",status="behind"'
        ]
        assert "0001_initial" not in metrics
        openmetrics = sidecar.get("/metrics", Accept="application/openmetrics-text;version=1.0.0")
        assert openmetrics[1].endswith("# EOF\n")


def test_details_can_live_elsewhere_or_be_off(migrated: Database, manifest: Path) -> None:
    """/status and /metrics on their own listener leave only probes on the first."""
    flags = ("--details-listen=127.0.0.1:0",)
    with Sidecar(manifest, *flags, url=migrated.reader) as sidecar:
        until(lambda: len(sidecar.listening()) == 2, "both listen")
        probes, details = sidecar.listening()
        assert ask(details + "/status")[0] == 200
        assert ask(details + "/metrics")[0] == 200
        assert ask(details + "/")[1].startswith("<!doctype html>")
        assert {ask(probes + path)[0] for path in ("/", "/status", "/metrics")} == {404}
        assert ask(details + "/readyz")[0] == 404
    with Sidecar(manifest, "--details=off", url=migrated.reader) as sidecar:
        until(sidecar.ready, "the gate opens")
        assert {sidecar.get(path)[0] for path in ("/status", "/")} == {404}
        assert sidecar.get("/readyz?verbose") == (200, "schema_current\n")


def test_head_is_answered_and_other_methods_are_refused(migrated: Database, manifest: Path) -> None:
    """Probes may be HEAD; nothing takes a body."""
    with Sidecar(manifest, url=migrated.reader) as sidecar:
        until(sidecar.ready, "the gate opens")
        host, port = sidecar.url.removeprefix("http://").split(":")
        for method, status in (("HEAD", b"200"), ("POST", b"405"), ("DELETE", b"405")):
            with socket.create_connection((host, int(port)), timeout=5 * PATIENCE) as connection:
                request = f"{method} /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
                connection.sendall(request.encode())
                answer = connection.makefile("rb").read()
            assert answer.split(b" ")[1].startswith(status)
            assert b"Python" not in answer, "the server does not tell what it runs on"


def test_sigterm_drains_first_and_ends_with_zero(migrated: Database, manifest: Path) -> None:
    """Readiness is 503 at once, answers go on for drain_delay, then the exit code is 0."""
    with Sidecar(manifest, "--drain-delay=2s", url=migrated.reader) as sidecar:
        until(sidecar.ready, "the gate opens")
        began = time.monotonic()
        sidecar.process.terminate()
        until(lambda: sidecar.get("/readyz") == (503, "draining\n"), "it drains")
        assert sidecar.process.wait(10 * PATIENCE) == 0
        assert 1.9 < time.monotonic() - began < 5 * PATIENCE
        assert sidecar.log[-1]["message"] == "drained"


@pytest.mark.parametrize("signals", [(signal.SIGINT,), (signal.SIGTERM, signal.SIGTERM)])
def test_ctrl_c_and_a_second_signal_end_it_cleanly(
    migrated: Database, manifest: Path, signals: tuple[int, ...]
) -> None:
    """Ctrl-C drains as well; a second signal does not wait for drain_delay."""
    delay = "--drain-delay=30s" if len(signals) > 1 else "--drain-delay=0s"
    with Sidecar(manifest, delay, url=migrated.reader) as sidecar:
        for number in signals:
            sidecar.process.send_signal(number)
            time.sleep(0.3)
        assert sidecar.process.wait(5 * PATIENCE) == 0
        assert "Traceback" not in sidecar.text


def test_sigterm_during_a_hung_look_ends_in_time(manifest: Path) -> None:
    """A database that never answers does not keep a told process from ending."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgres://u:p@127.0.0.1:{silent.getsockname()[1]}/db"
        with Sidecar(manifest, "--drain-delay=0s", "--connect-timeout=600s", url=url) as sidecar:
            assert sidecar.get("/readyz") == (503, "starting\n")
            assert sidecar.stop(within=5) == 0


def test_state_file_keeps_a_restarted_sidecar_ready_in_an_outage(
    manifest: Path, tmp_path: Path
) -> None:
    """Killed and started again while the database is down, it remembers that the gate was open."""
    state = tmp_path / "state"
    flags = (f"--state-file={state}", "--connect-timeout=3s")
    with Server() as server:
        database = add_database(server, "shop")
        database.migrate()
        with Sidecar(manifest, *flags, url=database.reader) as sidecar:
            until(sidecar.ready, "the gate opens")
            until(state.exists, "it remembers")
            sidecar.process.kill()
        server.kill()
        with Sidecar(manifest, *flags, url=database.reader) as sidecar:
            assert sidecar.ready()
            until(lambda: "unreachable" in sidecar.get("/readyz?verbose")[1], "it has looked")
            assert sidecar.ready()
    with Sidecar(manifest, "--connect-timeout=3s", url=database.reader) as forgetful:
        assert not forgetful.ready()


def test_listens_on_ipv4_ipv6_and_unix_sockets(migrated: Database, manifest: Path) -> None:
    """Several addresses at once, a stale socket file replaced; healthcheck finds each."""
    path = manifest.with_name("s.sock")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    listen = f"--listen=127.0.0.1:0,[::1]:0,unix:{path},:0"
    with Sidecar(manifest, listen, url=migrated.reader) as sidecar:
        until(lambda: len(sidecar.listening()) == 4, "all listen")
        until(sidecar.ready, "the gate opens")
        for url in sidecar.listening():
            ended = subprocess.run(
                [project.sidecar(), "healthcheck", "--url", url],
                check=False, env=project.environment(), capture_output=True, text=True,
            )  # fmt: skip
            assert (ended.returncode, ended.stdout) == (0, "schema_current\n"), url


def test_probes_are_answered_while_the_database_hangs(manifest: Path) -> None:
    """A look that waits for a silent server delays no probe."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgres://u:p@127.0.0.1:{silent.getsockname()[1]}/db"
        with Sidecar(manifest, url=url) as sidecar:
            answers: list[int] = []
            threads = [
                threading.Thread(target=lambda: answers.append(sidecar.get("/livez")[0]))
                for _ in range(20)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(5 * PATIENCE)
            assert answers == [200] * 20

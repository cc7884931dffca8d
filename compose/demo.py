"""The main job, live: a real PostgreSQL, a real Django project, a real sidecar.

make demo                leaves everything serving until Ctrl-C
make demo ARGS=--once    ends by itself
"""

import shlex
import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

from support import project
from support.database import Database, add_database
from support.postgres import Server
from support.process import Sidecar, until

MANIFEST = project.REPOSITORY / ".demo" / "manifest.json"
LAST_COMMIT = """
    SELECT pg_xact_commit_timestamp(xmin) FROM django_migrations ORDER BY id DESC LIMIT 1
"""
QUIET = 0.02
"""Seconds between two questions to the sidecar; it costs the database nothing."""


def step(title: str) -> None:
    """Announce what comes next."""
    print(f"\n\033[1m{title}\033[0m" if sys.stdout.isatty() else f"\n{title}", flush=True)


def told(text: str) -> None:
    """Show what a command or an endpoint said."""
    print("".join(f"    {line}\n" for line in text.strip().splitlines()), end="", flush=True)


def bake() -> Path:
    """Bake the example project, as its image's build would."""
    MANIFEST.parent.mkdir(exist_ok=True)
    ended = project.bake(MANIFEST, "--release=demo")
    told(ended.stderr)
    ended.check_returncode()
    return MANIFEST


def migrate(database: Database, sidecar: Sidecar, *target: str, until_ready: bool) -> datetime:
    """Run manage.py migrate beside the sidecar, show the count; return when it was as expected."""
    running = subprocess.Popen(
        [sys.executable, "manage.py", "migrate", "--verbosity=0", *target],
        cwd=project.APP,
        env=project.environment(DATABASE_URL=database.migrator),
        # Ctrl-C is for the demo, which ends its server, and with it this process.
        start_new_session=True,
        stderr=subprocess.PIPE,
        text=True,
    )
    seen = ""
    while sidecar.ready() is not until_ready:
        (target_status,) = sidecar.status()["targets"]
        pending = target_status.get("pending", [])
        line = f"{len(pending):3} pending" + (f", next {pending[0]}" if pending else "")
        if line != seen:
            print(f"    {line}", flush=True)
            seen = line
        if running.poll() not in {None, 0}:
            break
        time.sleep(QUIET)
    at = datetime.now().astimezone()
    _, errors = running.communicate()
    if running.returncode:
        raise SystemExit(f"demo: manage.py migrate failed\n{errors}")
    return at


def latency(database: Database, opened: datetime) -> str:
    """Return how long after the last migration's commit the gate was seen open."""
    ((committed,),) = database.execute(LAST_COMMIT)
    assert isinstance(committed, datetime)
    return f"{(opened - committed).total_seconds() * 1000:.0f} ms after the last migration"


def play(database: Database, sidecar: Sidecar) -> None:
    """Tell the whole story once."""
    until(lambda: "behind" in sidecar.get("/readyz")[1], "the first look")
    step("2. Nothing is migrated: /readyz?verbose")
    told("HTTP {}\n{}".format(*sidecar.get("/readyz?verbose")))

    step("3. manage.py migrate, seen from the sidecar")
    opened = migrate(database, sidecar, until_ready=True)
    told("HTTP {}\n{}".format(*sidecar.get("/readyz?verbose")))
    print(f"    gate open {latency(database, opened)}")

    step("4. One migration rolled back: the gate closes when a second look agrees")
    migrate(database, sidecar, "orders", "0011", until_ready=False)
    told("HTTP {}\n{}".format(*sidecar.get("/readyz?verbose")))

    step("5. And forward again")
    opened = migrate(database, sidecar, until_ready=True)
    told("HTTP {}\n{}".format(*sidecar.get("/readyz?verbose")))
    print(f"    gate open {latency(database, opened)}, which nothing before it announced")

    step("6. What a person sees: sidecar check")
    ended = subprocess.run(
        [project.sidecar(), "check", f"--manifest={MANIFEST}"],
        check=True,
        env=project.environment(DATABASE_URL=database.reader),
        capture_output=True,
        text=True,
    )
    told(ended.stdout)


def main(arguments: list[str]) -> int:
    """Run the demo; return its exit code."""
    if set(arguments) - {"--once"}:
        print("usage: make demo [ARGS=--once]", file=sys.stderr)
        return 64
    # As for Ctrl-C: what was started is ended.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    step("1. A PostgreSQL of our own, a baked manifest, and a sidecar")
    manifest = bake()
    with Server() as server:
        database = add_database(server, "shop")
        # An open gate looks every 30 s; the demo has less patience.
        with Sidecar(manifest, "--interval=1s", "--drain-delay=0s", url=database.reader) as sidecar:
            told(f"sidecar on {sidecar.url}, PostgreSQL on 127.0.0.1:{server.port}")
            play(database, sidecar)
            if "--once" not in arguments:
                stay(database, sidecar)
            sidecar.stop()
    return 0


def stay(database: Database, sidecar: Sidecar) -> None:
    """Leave everything serving until Ctrl-C, and say how to look around."""
    python, app = shlex.quote(sys.executable), shlex.quote(str(project.APP))
    url = shlex.quote(database.migrator)
    migrate = f"(cd {app} && DATABASE_URL={url} {python} manage.py migrate"
    step("7. Everything goes on running. Look around:")
    told(f"a page for people    {sidecar.url}/")
    for path in ("/readyz?verbose", "/startupz", "/livez", "/status", "/metrics"):
        told(f"curl '{sidecar.url}{path}'")
    step("Close the gate, and open it again, from another terminal:")
    told(f"{migrate} orders 0011)")
    told(f"{migrate})")
    step("Ctrl-C stops everything.")
    try:
        sidecar.process.wait()
    except KeyboardInterrupt:
        print()


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)

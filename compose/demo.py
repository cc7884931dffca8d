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
STATUS_INTERVAL = 0.02
"""Seconds between two requests to the sidecar; they cost the database nothing."""


def print_step(title: str) -> None:
    """Print the title of the next step."""
    print(f"\n\033[1m{title}\033[0m" if sys.stdout.isatty() else f"\n{title}", flush=True)


def show(text: str) -> None:
    """Print the output of a command or an endpoint, indented."""
    print("".join(f"    {line}\n" for line in text.strip().splitlines()), end="", flush=True)


def bake() -> Path:
    """Bake the example project, as its image's build would."""
    MANIFEST.parent.mkdir(exist_ok=True)
    ended = project.bake(MANIFEST, "--release=demo")
    show(ended.stderr)
    ended.check_returncode()
    return MANIFEST


def migrate(database: Database, sidecar: Sidecar, *target: str, until_ready: bool) -> datetime:
    """Run manage.py migrate, print what is pending; return when the gate was as expected."""
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
        time.sleep(STATUS_INTERVAL)
    at = datetime.now().astimezone()
    _, errors = running.communicate()
    if running.returncode:
        raise SystemExit(f"demo: manage.py migrate failed\n{errors}")
    return at


def format_latency(database: Database, opened: datetime) -> str:
    """Return how long after the last migration's commit the gate was seen open."""
    ((committed,),) = database.execute(LAST_COMMIT)
    assert isinstance(committed, datetime)
    return f"{(opened - committed).total_seconds() * 1000:.0f} ms after the last migration"


def play(database: Database, sidecar: Sidecar) -> None:
    """Play the whole story once."""
    until(lambda: "behind" in sidecar.get("/readyz")[1], "the first poll")
    print_step("2. Nothing is migrated: /readyz?verbose")
    show("HTTP {}\n{}".format(*sidecar.get("/readyz?verbose")))

    print_step("3. manage.py migrate, seen from the sidecar")
    opened = migrate(database, sidecar, until_ready=True)
    show("HTTP {}\n{}".format(*sidecar.get("/readyz?verbose")))
    print(f"    gate open {format_latency(database, opened)}")

    print_step("4. One migration rolled back: the gate closes when a second poll agrees")
    migrate(database, sidecar, "orders", "0011", until_ready=False)
    show("HTTP {}\n{}".format(*sidecar.get("/readyz?verbose")))

    print_step("5. And forward again")
    opened = migrate(database, sidecar, until_ready=True)
    show("HTTP {}\n{}".format(*sidecar.get("/readyz?verbose")))
    print(f"    gate open {format_latency(database, opened)}, without a notice beforehand")

    print_step("6. What a person sees: sidecar check")
    ended = subprocess.run(
        [project.sidecar(), "check", f"--manifest={MANIFEST}"],
        check=True,
        env=project.environment(DATABASE_URL=database.reader),
        capture_output=True,
        text=True,
    )
    show(ended.stdout)


def main(arguments: list[str]) -> int:
    """Run the demo; return its exit code."""
    if set(arguments) - {"--once"}:
        print("usage: make demo [ARGS=--once]", file=sys.stderr)
        return 64
    # As for Ctrl-C: what was started is ended.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    print_step("1. A PostgreSQL of our own, a baked manifest, and a sidecar")
    manifest = bake()
    with Server() as server:
        database = add_database(server, "shop")
        # An open gate polls every 30 s; the demo is to be quicker.
        with Sidecar(manifest, "--interval=1s", "--drain-delay=0s", url=database.reader) as sidecar:
            show(f"sidecar on {sidecar.url}, PostgreSQL on 127.0.0.1:{server.port}")
            play(database, sidecar)
            if "--once" not in arguments:
                stay(database, sidecar)
            sidecar.stop()
    return 0


def stay(database: Database, sidecar: Sidecar) -> None:
    """Leave everything serving until Ctrl-C, and print what to try."""
    python, app = shlex.quote(sys.executable), shlex.quote(str(project.APP))
    url = shlex.quote(database.migrator)
    migrate = f"(cd {app} && DATABASE_URL={url} {python} manage.py migrate"
    print_step("7. Everything goes on running. Try:")
    show(f"a page for people    {sidecar.url}/")
    for path in ("/readyz?verbose", "/startupz", "/livez", "/status", "/metrics"):
        show(f"curl '{sidecar.url}{path}'")
    print_step("Close the gate, and open it again, from another terminal:")
    show(f"{migrate} orders 0011)")
    show(f"{migrate})")
    print_step("Ctrl-C stops everything.")
    try:
        sidecar.process.wait()
    except KeyboardInterrupt:
        print()


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)

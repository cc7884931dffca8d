"""What comes from rows and from other sessions never controls whoever reads our output."""

import asyncio
import subprocess
from pathlib import Path

import asyncpg

from support.database import Database
from support.process import PATIENCE, Sidecar, until
from support.project import environment, sidecar

HOSTILE = "\x1b]0;x\x07\n\r\u202e\u009b31m"


def run(url: str, *arguments: str) -> str:
    """Return what a command prints."""
    ended = subprocess.run(
        [sidecar(), *arguments], env=environment(DATABASE_URL=url), check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=30 * PATIENCE,
    )  # fmt: skip
    return ended.stdout.decode()


def find_control_characters(text: str) -> set[str]:
    """Return what is not printable, but for the ends of lines."""
    return {each for each in text if not each.isprintable()} - {"\n"}


async def plant(url: str) -> None:
    """Record such a name for an app of the manifest, and for another one."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(
            "INSERT INTO django_migrations (app, name, applied) VALUES ('shop', $1, now()),"
            " ('orders', $1, now())",
            HOSTILE,
        )
    finally:
        await connection.close()


def test_no_output_has_a_control_character_of_a_row(migrated: Database, manifest: Path) -> None:
    """Tables, explanations, lines, logs and probes show it as Python writes it."""
    asyncio.run(plant(migrated.migrator))
    flags = (f"--manifest={manifest}", f"--schemas={HOSTILE}")
    name = f"orders.{HOSTILE}"
    outputs = {
        "check": run(migrated.reader, "check", flags[0]),
        "json": run(migrated.reader, "check", flags[0], "--json"),
        "explain": run(migrated.reader, "check", flags[0], f"--explain={name}"),
        "error": run(migrated.reader, "check", f"--manifest={HOSTILE}"),
        "wait": run(migrated.reader, "wait", *flags, "--timeout=1s"),
        "log in json": run(migrated.reader, "wait", *flags, "--timeout=1s", "--log-format=json"),
    }
    with Sidecar(manifest, flags[1], url=migrated.reader) as server:
        until(lambda: "gate waiting" in server.text, "the schema is missed")
        outputs["log"] = server.text
        outputs["verbose"] = server.get("/readyz?verbose")[1]
        outputs["status"] = server.get("/status")[1]
        outputs["metrics"] = server.get("/metrics")[1]
    for output, text in outputs.items():
        assert find_control_characters(text) == set(), output
    for output in ("check", "explain", "wait", "verbose"):
        assert "\\x1b]0;x" in outputs[output], outputs[output]

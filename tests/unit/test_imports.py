"""What each command imports: modules are most of what a sidecar weighs, and of what a start takes.

Import sets and counts of allocations are the same on every machine, however busy.
"""

import subprocess
import sys
import time
import tracemalloc

import pytest

from sidecar.core.migrations.compare import Comparer, Outcome, compare
from sidecar.core.migrations.manifest import Key
from sidecar.core.migrations.recorded import Recorded
from support.manifests import chain, manifest
from support.project import environment

HEAVY = {"aiohttp", "asyncio", "asyncpg", "msgspec", "prometheus_client", "ssl", "tqdm"}

PRINT_IMPORTED = """
import sys
before = {{*sys.modules}}
{code}
print(*sorted({{*sys.modules}} - before))
"""

REFUSED = 'from sidecar import cli; cli.main(["healthcheck", "--url=127.0.0.1:1"])'


def find_imported(code: str, *flags: str) -> set[str]:
    """Return the modules that a fresh interpreter imports for this code."""
    ended = subprocess.run(
        [sys.executable, *flags, "-c", PRINT_IMPORTED.format(code=code)],
        check=True,
        env=environment(),
        capture_output=True,
        text=True,
    )
    return set(ended.stdout.split())


@pytest.mark.parametrize(
    ("command", "allowed"),
    [
        ("serve", {"aiohttp", "asyncio", "msgspec", "prometheus_client", "ssl"}),
        ("check", {"asyncio", "msgspec", "ssl"}),
        ("wait", {"asyncio", "msgspec", "ssl"}),
        ("migrate", {"asyncio", "msgspec", "ssl"}),
        ("diff", {"msgspec"}),
    ],
)
def test_a_command_imports_no_more_than_it_uses(command: str, allowed: set[str]) -> None:
    """Only `serve` needs aiohttp; a driver comes with a URL, a progress bar with a terminal."""
    found = find_imported(f"import sidecar.commands.{command}")
    assert found & HEAVY <= allowed


def test_the_driver_comes_with_the_url() -> None:
    """Asyncpg is imported for a URL of PostgreSQL, and aiohttp is not."""
    found = find_imported(
        "import sidecar.commands.check; from sidecar.databases.base import Address, connect;"
        " connect(Address(url='postgres://db/shop'))"
    )
    assert "asyncpg" in found
    assert not {"aiohttp", "tqdm"} & found
    assert not {
        name for name in found if name.startswith("sidecar.databases.postgres.many_schemas")
    }


def test_a_healthcheck_imports_next_to_nothing() -> None:
    """A healthcheck is a start of Python every few seconds: a handful of small modules."""
    found = find_imported(REFUSED)
    assert found <= {
        *("sidecar", "sidecar.cli", "sidecar.errors", "sidecar.healthcheck"),
        *("_socket", "time", "encodings.latin_1"),
    }


def test_a_comparison_needs_little_memory() -> None:
    """A verdict on 5,000 rows takes their keys and a few sets of them, and copies no graph."""
    keys = [f"app_{app}.{name:04}" for app in range(100) for name in range(50)]
    expected = manifest(
        *(n for app in range(100) for n in chain(f"app_{app}", *(f"{at:04}" for at in range(50))))
    )
    recorded = Recorded("\n".join(keys))
    comparer = Comparer(expected)
    comparer.compare(recorded.keys())
    tracemalloc.start()
    try:
        verdict = comparer.compare(recorded.keys())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert verdict.outcome is Outcome.CURRENT
    assert peak < 1_500_000, f"{peak} bytes at once"


def test_rows_that_nobody_knows_cost_no_more_than_linear() -> None:
    """A database of another project, or of a much newer release, must not stop the loop."""
    expected = manifest(*chain("shop", "0001"))

    def cost(count: int) -> float:
        keys = [Key(f"{app}.{n:05}") for n in range(count // 2) for app in ("shop", "other")]
        spent = []
        for _ in range(3):
            began = time.process_time()
            compare(expected, keys)
            spent.append(time.process_time() - began)
        return min(spent)

    assert cost(16_000) < 40 * cost(1_000)  # 16 times, if linear; 256, if quadratic

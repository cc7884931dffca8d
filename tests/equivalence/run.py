"""Ask many generated cases on the Django that is importable: run.py --cases 20000.

Prints one line of counts, and each disagreement as small as hypothesis can make it; exits
with 1 if there is any.
"""

import argparse
import platform
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import django
import hypothesis
from hypothesis import HealthCheck, Phase, given, settings

if __name__ == "__main__":  # as a script, this folder hides the packages beside it
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from equivalence.agreement import Disagreement, World, open_world
from equivalence.cases import cases
from equivalence.projects import Case
from support.postgres import Server

BATCH = 500
"""How many cases one search of hypothesis tries; each finds its own disagreements."""


def main() -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0, help="the first batch's (default: 0)")
    parser.add_argument("--stop", type=int, default=10, help="after so many disagreements")
    options = parser.parse_args()
    counts: Counter[str] = Counter()
    found: list[Disagreement] = []
    with Server() as server, open_world(server) as world:
        for seed in range(options.seed, options.seed + -(-options.cases // BATCH)):
            size = min(BATCH, options.cases - counts["cases"])
            found += search(world, seed, size, counts)
            if len(found) >= options.stop or counts["cases"] >= options.cases:
                break
    for disagreement in found:
        show(f"{disagreement}\n")
    show(summarize(counts, len(found)))
    return 1 if found else 0


def search(world: World, seed: int, size: int, counts: Counter[str]) -> list[Disagreement]:
    """Try so many cases; return the disagreements, minimised."""
    failing = False

    @hypothesis.seed(seed)
    @settings(
        max_examples=size,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        verbosity=hypothesis.Verbosity.quiet,
    )
    @given(cases())
    def probe(case: Case) -> None:
        nonlocal failing
        if not failing:
            counts["cases"] += 1
        try:
            facts = world.check(case)
        except BaseException:
            failing = True
            raise
        if not failing:
            counts.update({name: int(true) for name, true in asdict(facts).items()})

    try:
        probe()
    except Disagreement as one:
        return [one]
    except BaseExceptionGroup as several:
        found, others = several.split(Disagreement)
        if others or found is None:
            raise
        return [error for error in flatten(found) if isinstance(error, Disagreement)]
    return []


def show(text: str) -> None:
    """Print at once."""
    print(text, flush=True)


def flatten(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    """Return the exceptions of a group of groups."""
    return [
        inner
        for error in group.exceptions
        for inner in (flatten(error) if isinstance(error, BaseExceptionGroup) else [error])
    ]


def summarize(counts: Counter[str], disagreements: int) -> str:
    """Return the one line that sums up what was run."""
    return (
        f"Django {django.get_version()}, Python {platform.python_version()}: "
        f"{counts['cases']} cases, {counts['cases'] - counts['refused']} with a valid graph, "
        f"{counts['squashes']} with squashes, {counts['halved']} half-applied, "
        f"{counts['refused']} refused, {counts['graph_error']} broken by their rows, "
        f"{counts['inconsistent']} inconsistent, {counts['hidden']} hidden; "
        f"{disagreements} disagreements"
    )


if __name__ == "__main__":
    sys.exit(main())

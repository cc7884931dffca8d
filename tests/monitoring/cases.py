"""For each alert: what Prometheus has scraped when it must fire, and when it must stay silent.

Values are in promtool's notation, one a minute: `1x20` is 1 and twenty times 1 more, `_` is
nothing scraped, `0+60x20` grows by 60 each minute, as a clock does.
"""

from dataclasses import dataclass
from typing import Final

COMMON: Final = {"job": "shop", "namespace": "prod"}
CLOCK: Final = "0+60x120"


@dataclass(frozen=True)
class Story:
    """What was scraped, and at which minute it is asked whether the alert fires."""

    minute: int
    scraped: dict[str, str]
    fires: bool = True
    labels: tuple[str, ...] = ("job", "namespace", "database")


def series(name: str, pod: str = "a", **labels: str) -> str:
    """Return a series as a pod's sidecar exposes it."""
    known = {**COMMON, "instance": pod, **labels}
    pairs = ",".join(f'{key}="{text}"' for key, text in known.items())
    return f"django_schema_{name}{{{pairs}}}"


def schemas(status: str, pod: str = "a") -> str:
    """Return the series that counts a pod's schemas with this status."""
    return series("targets", pod, database="default", status=status)


def database(name: str, pod: str = "a") -> str:
    """Return a series about a database."""
    return series(name, pod, database="default")


def info(manifest: str, pod: str) -> str:
    """Return the series that names a pod's manifest."""
    return series("info", pod, manifest=manifest, release=manifest)


def pair(one: str, other: str, **values: str) -> dict[str, str]:
    """Return what two pods scrape that find one thing or another, and with which manifests."""
    return {
        schemas("current", "a"): one,
        schemas("current", "b"): other,
        schemas("ahead", "a"): "0x120",
        schemas("ahead", "b"): "0x120",
        database("up", "a"): "1x120",
        database("up", "b"): values.get("up", "1x120"),
        info("m1", "a"): "1x120",
        info(values.get("manifest", "m1"), "b"): "1x120",
    }


def silent(minute: int, scraped: dict[str, str]) -> Story:
    """Return a story in which the alert must not fire."""
    return Story(minute, scraped, fires=False)


def last_migrate(success: str, when: str, node: str = "a") -> dict[str, str]:
    """Return what the last migrate run on a node has left."""
    return {
        database("migrate_last_run_success", node): success,
        database("migrate_last_run_timestamp_seconds", node): when,
    }


def no_progress(progress: str = "") -> dict[str, str]:
    """Return the series of a pod that has been behind since it began to watch, at 0."""
    scraped = {schemas("behind"): "1x30", database("watch_started_timestamp_seconds"): "0x30"}
    if progress:
        scraped[database("last_progress_timestamp_seconds")] = progress
    return scraped


JOB: Final = ("job", "namespace")

STORIES: Final = {
    "DjangoSchemaBehind": (
        Story(16, {schemas("behind"): "1x20", schemas("behind", "b"): "0x20"}),
        silent(14, {schemas("behind"): "1x20"}),
        silent(20, {schemas("behind"): "1x14 0x10", schemas("current"): "0x14 1x10"}),
    ),
    "DjangoSchemaStalled": (
        Story(12, no_progress()),
        silent(11, no_progress()),
        Story(30, no_progress(progress="600x30")),
        silent(30, no_progress(progress=CLOCK)),
        silent(
            30, {schemas("behind"): "0x30", database("watch_started_timestamp_seconds"): "0x30"}
        ),
        # Another pod has seen progress; another pod has begun to watch only now.
        silent(
            30,
            {
                **no_progress(progress="600x30"),
                database("last_progress_timestamp_seconds", "b"): CLOCK,
            },
        ),
        Story(
            30,
            {**no_progress(), database("watch_started_timestamp_seconds", "b"): "1700x30"},
        ),
        Story(12, {**no_progress(), schemas("behind", "b"): "0x30"}),
    ),
    "DjangoSchemaMigrateBlocked": (
        Story(
            4,
            {
                database("migrate_blocked_seconds"): "0 0+60x20",
                database("migrate_blocked_seconds", "b"): "0x20",
            },
        ),
        silent(4, {database("migrate_blocked_seconds"): "29x9"}),
        silent(2, {database("migrate_blocked_seconds"): "0 0 40 0"}),
        silent(4, {database("migrate_blocked_seconds"): "0 20 0 25 0 29 0"}),
        silent(4, {database("migrate_blocked_seconds"): "0x9"}),
    ),
    "DjangoSchemaMigrateFailed": (
        Story(3, last_migrate("0x9", "60x9")),
        Story(3, {**last_migrate("0x9", "60x9"), **last_migrate("1x9", "30x9", "b")}),
        silent(3, last_migrate("1x9", "60x9")),
        silent(3, {**last_migrate("0x9", "60x9"), **last_migrate("1x9", "90x9", "b")}),
    ),
    "DjangoSchemaInconsistent": (
        Story(4, {schemas("inconsistent"): "1x9", schemas("inconsistent", "b"): "0x9"}),
        silent(4, {schemas("inconsistent"): "1 0 1 0 1 0"}),
    ),
    "DjangoSchemaDatabaseUnreachable": (
        Story(7, {database("up"): "0x9", database("up", "b"): "1x9"}),
        silent(7, {database("up"): "1 0x3 1x9"}),
        silent(4, {database("up"): "0x9"}),
    ),
    "DjangoSchemaAhead": (
        Story(63, {schemas("ahead"): "1x70", schemas("ahead", "b"): "0x70"}),
        silent(59, {schemas("ahead"): "1x70"}),
        silent(70, {schemas("ahead"): "1x30 0x60"}),
    ),
    "DjangoSchemaReplicasDisagree": (
        Story(8, pair("1x20", "0x20")),
        silent(4, pair("1x20", "0x20")),
        silent(8, pair("1x20", "1x20")),
        silent(8, pair("1x20", "0x20", manifest="m2")),
        silent(8, pair("1x20", "0x20", up="0x20")),
        silent(8, pair("1x20", "1x2 0x2 1x9")),
    ),
    "DjangoSchemaNothingReady": (
        Story(7, {series("ready"): "0x9", series("ready", "b"): "0x9"}, labels=JOB),
        silent(7, {series("ready"): "0x9", series("ready", "b"): "1x9"}),
        silent(4, {series("ready"): "0x9"}),
    ),
    "DjangoSchemaOutputFailing": (
        Story(
            12,
            {
                series("output_errors_total", output="state_file"): "0 1x20",
                series("output_errors_total", output="log"): "0x20",
            },
            labels=("job", "namespace", "output"),
        ),
        silent(4, {series("output_errors_total", output="log"): "0 0 1x20"}),
        silent(12, {series("output_errors_total", output="log"): "7x20"}),
        silent(40, {series("output_errors_total", output="log"): "0 1x60"}),
    ),
    "DjangoSchemaSidecarAbsent": (
        Story(30, {series("build_info", version="1"): "1x9"}, labels=JOB),
        silent(20, {series("build_info", version="1"): "1x9"}),
        silent(
            30, {series("build_info", version="1"): "1x9", series("build_info", "b"): "_x9 1x30"}
        ),
        silent(14, {series("build_info", version="1"): "1x9 _x3 1x9"}),
    ),
    "DjangoSchemaManifestsDiffer": (
        Story(63, {info("m1", "a"): "1x70", info("m2", "b"): "1x70"}, labels=JOB),
        silent(63, {info("m1", "a"): "1x70", info("m1", "b"): "1x70"}),
        silent(59, {info("m1", "a"): "1x70", info("m2", "b"): "1x70"}),
        silent(63, {info("m1", "a"): "1x20", info("m2", "b"): "1x70"}),
    ),
}

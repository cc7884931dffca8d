"""Baking the example project: what comes out, and how it is refused."""

import json
import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from integration.bake.projects import BAKER, Baked, Project
from sidecar.core.migrations.compare import check
from sidecar.core.migrations.manifest import Key, decode
from support.project import APP, environment, sidecar

Way = Callable[..., Baked]

PATH = {"PYTHONPATH": str(APP)}
"""The example's apps, importable from a folder that holds only other settings."""


def example(project: Project, *flags: str, **options: object) -> Baked:
    return project.bake(*flags, cwd=APP, settings="storefront.settings", **options)  # type: ignore[arg-type]


@pytest.fixture
def extended(project: Project) -> Project:
    """The example's settings, with an app of the test's own and ours."""
    project.write(
        "site_settings.py",
        """
        from storefront.settings import *
        INSTALLED_APPS = [*INSTALLED_APPS, "sidecar", "extra"]
        """,
    )
    project.app("extra")
    project.write(
        "manage.py",
        """
        import sys
        from django.core.management import execute_from_command_line
        execute_from_command_line(sys.argv)
        """,
    )
    return project


def by_manage(project: Project, *flags: str) -> Baked:
    variables = {**PATH, "DJANGO_SETTINGS_MODULE": "site_settings"}
    command = (sys.executable, "manage.py", "bake_migrations")
    return project.bake(*flags, command=command, settings="", variables=variables)


def by_command(project: Project, *flags: str) -> Baked:
    return project.bake(*flags, variables=PATH)


def test_needs_no_database_and_no_secret(project: Project) -> None:
    """A bare environment is enough, and what comes out is what the sidecar accepts."""
    baked = example(project, "--release", "1.0")
    assert baked.stderr == "bake: 50 migrations written to " + str(
        project.folder / "manifest.json\n"
    )
    manifest = decode(baked.written)
    check(manifest)
    assert manifest.release == "1.0"
    assert manifest.apps == ("auth", "contenttypes", "sessions", "accounts", "catalog", "orders")
    assert baked.document["settings"] == "storefront.settings"


def test_contains_no_secret(project: Project) -> None:
    """Of a database the manifest holds the alias and the engine, and nothing else."""
    variables = {"DATABASE_URL": "postgres://robin:swordfish@db.example/shop"}
    baked = example(project, variables=variables)
    assert baked.document["databases"] == {"default": "django.db.backends.postgresql"}
    for secret in (b"robin", b"swordfish", b"db.example"):
        assert secret not in baked.written
    assert baked.written == example(project).written


def test_the_same_code_gives_the_same_bytes(project: Project) -> None:
    """No hash seed changes a byte."""
    found = {
        example(project, variables={"PYTHONHASHSEED": seed}).written for seed in ("1", "2", "3")
    }
    assert len(found) == 1
    assert found != {b""}


def test_every_indirection_is_resolved(extended: Project) -> None:
    """A swappable dependency, __first__, __latest__ and run_before are plain edges."""
    extended.app(
        "extra",
        m0001_a=EMPTY.format(
            dependencies="migrations.swappable_dependency('accounts.User'), "
            "('orders', '__first__'), ('catalog', '__latest__')"
        ),
        m0002_b=EMPTY.format(dependencies="('extra', '0001_a')")
        + "    run_before = [('sessions', '0001_initial')]",
    )
    nodes = decode(by_command(extended).written).nodes
    assert nodes[Key("extra.0001_a")].dependencies == (
        "accounts.0001_initial",
        # Django resolves __latest__ before it replaces, where a squash is a leaf too.
        "catalog.0001_squashed_0005_product_name_index",
        "orders.0001_initial",
    )
    assert nodes[Key("sessions.0001_initial")].dependencies == ("extra.0002_b",)


def test_manage_py_writes_the_same_bytes(extended: Project) -> None:
    """`manage.py bake_migrations` and `sidecar bake` cannot differ."""
    assert by_manage(extended).written == by_command(extended).written != b""


@pytest.mark.parametrize("way", [by_manage, by_command], ids=["manage.py", "sidecar"])
class TestRefusals:
    """The same line and the same exit code both ways."""

    def test_conflict(self, extended: Project, way: Way) -> None:
        """Two last migrations of one app are refused, and both are named."""
        extended.app(
            "extra",
            m0001_a=EMPTY.format(dependencies=""),
            m0002_b=EMPTY.format(dependencies="('extra', '0001_a')"),
            m0002_c=EMPTY.format(dependencies="('extra', '0001_a')"),
        )
        assert way(extended).line() == (
            "refused: conflicting migrations, each the last of its app: 0002_b, 0002_c in extra; "
            "merge them with manage.py makemigrations --merge"
        )

    def test_cycle(self, extended: Project, way: Way) -> None:
        """Migrations that wait for each other are refused, and all are named."""
        extended.app(
            "extra",
            m0001_a=EMPTY.format(dependencies="('extra', '0002_b')"),
            m0002_b=EMPTY.format(dependencies="('extra', '0001_a')"),
        )
        assert way(extended).line() == (
            "refused: migrations depend on each other in a cycle: extra.0001_a, extra.0002_b"
        )

    def test_missing_dependency(self, extended: Project, way: Way) -> None:
        """A dependency that no file defines is refused, and both ends are named."""
        extended.app("extra", m0001_a=EMPTY.format(dependencies="('orders', '0099_gone')"))
        assert way(extended).line() == (
            "refused: extra.0001_a depends on orders.0099_gone, which no file defines"
        )

    def test_model_changes(self, extended: Project, way: Way) -> None:
        """A model of the project's own that no migration holds is refused."""
        extended.app("extra", MODEL)
        assert way(extended).line() == (
            "refused: models have changes that no migration holds: extra (CreateModel Thing); "
            "run manage.py makemigrations (or bake with --no-model-check)"
        )

    def test_unwritable_output(self, extended: Project, way: Way) -> None:
        """An output that cannot be written is refused, with the system's reason."""
        line = way(extended, "-o", "no/such/folder/manifest.json").line()
        assert line == (
            "refused: cannot write no/such/folder/manifest.json: No such file or directory"
        )

    def test_unknown_project_app(self, extended: Project, way: Way) -> None:
        """--project-apps that names no installed app is wrong usage."""
        line = way(extended, "--project-apps", "orders,oders").line(64)
        assert line == "--project-apps names oders, which is no installed app"


EMPTY = """
from django.db import migrations

class Migration(migrations.Migration):
    dependencies = [{dependencies}]
    operations = []
"""
MODEL = """
from django.db import models

class Thing(models.Model):
    pass
"""


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (["--no-such-flag"], "unrecognized arguments: --no-such-flag; see --help"),
        (["surplus"], "unrecognized arguments: surplus; see --help"),
        (["--release"], "argument --release: expected one argument; see --help"),
        (["--no-model"], "unrecognized arguments: --no-model; see --help"),
    ],
)
def test_wrong_usage(project: Project, flags: list[str], line: str) -> None:
    """What is not an option is refused with 64; nothing is guessed from its beginning."""
    assert example(project, *flags).line(64) == line


def test_settings_must_be_named(project: Project) -> None:
    """Without --settings and without DJANGO_SETTINGS_MODULE it names both."""
    assert project.bake(settings="", cwd=APP).line(64) == (
        "which settings? give --settings myproject.settings or DJANGO_SETTINGS_MODULE; see --help"
    )
    variables = {"DJANGO_SETTINGS_MODULE": "storefront.settings"}
    assert project.bake(settings="", cwd=APP, variables=variables).code == 0


def test_help_is_zero() -> None:
    """--help prints what it does and what it takes."""
    for command in ([sidecar(), "bake"], [sys.executable, str(BAKER)]):
        ended = subprocess.run(
            [*command, "--help"], check=True, env=environment(), capture_output=True, text=True
        )
        assert "--project-apps" in ended.stdout


def to_stdout(project: Project, target: int, settings: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sidecar(), "bake", "--settings", settings, "-o", "-"],
        check=False, cwd=project.folder, env=environment(**PATH),
        stdout=target, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_stdout_is_the_manifest_alone(project: Project) -> None:
    """What the project prints while it is imported goes to stderr, not into the manifest."""
    project.write("chatty.py", 'print("loading")\nfrom storefront.settings import *\n')
    ended = to_stdout(project, subprocess.PIPE, "chatty")
    assert ended.stderr == "loading\n"
    assert json.loads(ended.stdout)["settings"] == "chatty"


def test_stdout_that_cannot_be_written(project: Project) -> None:
    """A full disk or a reader that has gone is refused in one line."""
    full = os.open("/dev/full", os.O_WRONLY)
    ended = to_stdout(project, full, "storefront.settings")
    os.close(full)
    assert ended.returncode == 66
    assert ended.stderr == "bake: refused: cannot write -: No space left on device\n"
    reader, writer = os.pipe()
    os.close(reader)
    ended = to_stdout(project, writer, "storefront.settings")
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (66, "bake: refused: cannot write -: Broken pipe\n")


def test_a_manifest_that_cannot_be_replaced_is_left(project: Project) -> None:
    """A refused bake leaves the manifest of the last one as it was."""
    output = project.folder / "old.json"
    output.write_text("old")
    assert project.bake("-o", str(output), settings="no.such.settings").code == 66
    assert output.read_text() == "old"


def test_optional_migrations(project: Project) -> None:
    """Patterns are baked sorted and once; one that matches nothing is pointed out."""
    flags = ("--optional", "orders.*", "--optional", "orders.*", "--optional", "analytics.*")
    baked = example(project, *flags)
    assert decode(baked.written).optional == ("analytics.*", "orders.*")
    assert "bake: warning: --optional analytics.* matches no migration\n" in baked.stderr


def test_the_digest_is_of_what_decides(project: Project) -> None:
    """The release and the settings' name do not change the digest; an optional pattern does."""

    def digest(*flags: str) -> str:
        return decode(example(project, *flags).written).digest

    plain = digest()
    assert digest("--release", "2.0") == plain
    assert digest("--optional", "orders.0011_*") != plain

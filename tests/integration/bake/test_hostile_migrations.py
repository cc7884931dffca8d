"""Migration files that cannot be loaded or do not fit, and files that are none."""

import py_compile
import shutil
import zipfile
from pathlib import Path

import django
import pytest

from integration.bake.projects import CREATE_ITEM, ITEM, Project, migration

FIRST = ("shop", "0001_initial")

# Django 6 refuses this before we do.
ITSELF = (
    "shop.0002_bad replaces itself"
    if django.VERSION < (6,)
    else "Cyclical squash replacement found, starting at ('shop', '0002_bad')"
)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (
            "import shop.helpers",
            (
                "ModuleNotFoundError: No module named 'shop.helpers' "
                "(at shop/migrations/0002_bad.py:1)"
            ),
        ),
        ("class Migration(:", "SyntaxError: invalid syntax (at shop/migrations/0002_bad.py:1)"),
        ("x = 1", "BadMigrationError: Migration 0002_bad in app shop has no Migration class"),
        ("raise SystemExit", "SystemExit: (at shop/migrations/0002_bad.py:1)"),
        (
            "from shop.models import Item\nItem.objects.count()",
            (
                "OperationalError: baking opens no database connection (default) "
                "(at shop/migrations/0002_bad.py:2)"
            ),
        ),
    ],
    ids=["import", "syntax", "no class", "exit", "query"],
)
def test_a_file_that_cannot_be_loaded(project: Project, text: str, why: str) -> None:
    """The migration is named, with what is wrong and where."""
    project.shop()
    project.write("shop/migrations/0002_bad.py", text)
    line = " ".join(project.bake().line().split())
    assert line == f"refused: the migration shop.0002_bad cannot be loaded: {why}"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (
            migration(FIRST, operations="migrations.RemoveField('item', 'size')"),
            (
                "shop.0002_bad does not fit the migrations before it: RemoveField item.size: "
                "KeyError: 'size'"
            ),
        ),
        (
            migration(FIRST, operations="migrations.DeleteModel('Thing')"),
            (
                "shop.0002_bad does not fit the migrations before it: DeleteModel Thing: "
                "KeyError: ('shop', 'thing')"
            ),
        ),
        (
            migration(("blog", "__first__")),
            "Dependency on unknown app: blog (in shop.0002_bad)",
        ),
        (
            migration(("empty", "__latest__")),
            "Dependency on app with no migrations: empty (in shop.0002_bad)",
        ),
        (
            migration(FIRST, run_before=[("shop", "0003_gone")]),
            "shop.0002_bad is to run before shop.0003_gone, which no file defines",
        ),
        (
            migration(["shop", "0001_initial"]),  # type: ignore[arg-type]
            "shop.0002_bad has ['shop', '0001_initial'] in dependencies: no tuple (app, name)",
        ),
        (migration(FIRST, replaces=[("shop", "0002_bad")]), ITSELF),
    ],
    ids=["field", "model", "unknown app", "empty app", "run_before", "malformed", "itself"],
)
def test_a_migration_that_does_not_fit(project: Project, text: str, why: str) -> None:
    """What Django's own migrate would fail on is refused, and the migration is named."""
    project.shop(more="INSTALLED_APPS += ['empty']")
    project.app("empty")
    project.write("shop/migrations/0002_bad.py", text)
    assert project.bake().line().startswith(f"refused: {why}")


MIXIN = """
class Sized(models.Model):
    size = models.IntegerField(null=True)
    class Meta:
        abstract = True
"""


def test_what_cannot_be_judged_is_no_refusal(project: Project) -> None:
    """A field that comes from a base class is Django's business; nothing is claimed of it."""
    project.settings("shop")
    create = f"{CREATE_ITEM.strip()[:-1]} bases=(Sized, models.Model))"
    alter = "migrations.AlterField('item', 'size', models.IntegerField())"
    project.app(
        "shop",
        m0001_initial=migration(before=MIXIN, operations=create),
        m0002_alter=migration(FIRST, operations=alter),
    )
    baked = project.bake("--no-model-check")
    assert "breaks" not in baked.rows["shop.0002_alter"]


def test_files_that_are_no_migrations(project: Project) -> None:
    """Files that begin with _ or ~, other files and folders are passed over, as by Django."""
    project.shop()
    for path in ("_helper.py", "~0002_old.py", "0002_notes.txt", "sub/__init__.py", "sub/0001.py"):
        project.write(f"shop/migrations/{path}", "raise SystemExit")
    assert list(project.bake().rows) == ["shop.0001_initial"]


@pytest.mark.parametrize("layout", ["namespace", "module", "nothing", "switched off"])
def test_apps_without_migrations(project: Project, layout: str) -> None:
    """No `migrations` package means an unmigrated app, and a dependency on it means nothing."""
    off = "MIGRATION_MODULES = {'plain': None}" if layout == "switched off" else ""
    project.settings("plain", "shop", more=off)
    project.app("plain", ITEM, m0001_initial=migration())
    if layout != "switched off":
        shutil.rmtree(project.folder / "plain/migrations")
    if layout == "namespace":
        project.write("plain/migrations/0001_initial.py", migration())
    if layout == "module":
        project.write("plain/migrations.py")
    project.app("shop", ITEM, m0001_initial=migration(("plain", "__first__"),
                                                      operations=CREATE_ITEM))  # fmt: skip
    baked = project.bake()
    assert baked.document["graph"]["apps"] == ["shop"]
    assert "dependencies" not in baked.rows["shop.0001_initial"]


def test_migrations_of_another_package(project: Project) -> None:
    """MIGRATION_MODULES moves an app's migrations, fingerprints included."""
    project.shop(more="MIGRATION_MODULES = {'shop': 'elsewhere.shop'}")
    here = project.bake("--no-model-check").line()
    assert here == (
        "refused: the migrations of shop (elsewhere.shop) cannot be loaded: "
        "ModuleNotFoundError: No module named 'elsewhere'"
    )
    project.write("elsewhere/__init__.py")
    project.write("elsewhere/shop/__init__.py")
    project.write("elsewhere/shop/0001_moved.py", migration(operations=CREATE_ITEM))
    (row,) = project.bake().rows.values()
    assert row["migration"] == "shop.0001_moved"
    assert row["ast"].startswith("sha256:")


def test_a_zipped_app(project: Project) -> None:
    """An app in a zip file bakes to the same rows as in a folder."""
    project.shop()
    folder = project.bake()
    pack(project.folder / "shop", project.folder / "apps.zip")
    zipped = project.bake(variables={"PYTHONPATH": str(project.folder / "apps.zip")})
    assert not (project.folder / "shop").exists()
    assert zipped.rows == folder.rows


def pack(folder: Path, archive: Path) -> None:
    with zipfile.ZipFile(archive, "w") as file:
        for path in sorted(folder.rglob("*.py")):
            file.write(path, path.relative_to(folder.parent))
    shutil.rmtree(folder)


def test_a_namespace_package(project: Project) -> None:
    """An app inside a namespace package, without any __init__ above it, is an app."""
    project.settings("company.shop")
    project.app("company/shop", ITEM, m0001_initial=migration(operations=CREATE_ITEM))
    assert list(project.bake().rows) == ["shop.0001_initial"]


def test_formatting_does_not_change_the_fingerprint(project: Project) -> None:
    """Comments, docstrings and layout do not count; one changed literal does."""
    texts = [
        "class Migration(migrations.Migration):\n    atomic = True\n",
        '"""Doc."""\nclass Migration(migrations.Migration):  # x\n    "doc"\n    atomic = (True)\n',
        "class Migration(migrations.Migration):\n    atomic = 1\n",
    ]
    found = []
    project.settings("shop")
    for text in texts:
        project.app("shop", m0001_initial=f"from django.db import migrations\n{text}")
        found.append(project.bake().rows["shop.0001_initial"]["ast"])
    assert found[0] == found[1] != found[2]


def test_a_migration_without_source(project: Project) -> None:
    """Where only a .pyc was shipped there is no fingerprint, and everything else."""
    project.shop()
    with_source = project.bake().rows["shop.0001_initial"]
    source = project.folder / "shop/migrations/0001_initial.py"
    py_compile.compile(str(source), str(source.with_suffix(".pyc")), doraise=True)
    source.unlink()
    without = project.bake().rows["shop.0001_initial"]
    assert without == {key: value for key, value in with_source.items() if key != "ast"}

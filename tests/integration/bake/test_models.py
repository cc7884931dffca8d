"""Model changes that no migration holds: whose they are decides."""

import pytest

from integration.bake.projects import CREATE_ITEM, ITEM, Project, migration

CHANGED = ITEM + "    size = models.IntegerField()\n"
RENAMED = ITEM.replace("name", "title")
INSTALLED = {"PYTHONPATH": "lib/python3/site-packages"}
REFUSED = "refused: models have changes that no migration holds: "
ADVICE = "; run manage.py makemigrations (or bake with --no-model-check)"


def drifted(project: Project, models: str = CHANGED, where: str = "") -> Project:
    """Write the smallest project, its models ahead of its migrations."""
    project.settings("shop")
    project.app(f"{where}shop", models, m0001_initial=migration(operations=CREATE_ITEM))
    return project


def test_changes_of_the_project_are_refused(project: Project) -> None:
    """Each change is named; a field that would need an answer asks nobody."""
    assert drifted(project).bake().line() == f"{REFUSED}shop (AddField item.size){ADVICE}"


def test_a_possible_rename_asks_nobody(project: Project) -> None:
    """Where makemigrations would ask about a rename, a removal and an addition are named."""
    line = drifted(project, RENAMED).bake().line()
    assert line == f"{REFUSED}shop (RemoveField item.name, AddField item.title){ADVICE}"


def test_all_apps_are_named_at_once(project: Project) -> None:
    """Two apps with changes are two names in one line."""
    drifted(project)
    project.settings("shop", "blog")
    project.app("blog", ITEM)
    line = project.bake().line()
    assert line == f"{REFUSED}blog (CreateModel Item), shop (AddField item.size){ADVICE}"


def test_the_check_can_be_left_out(project: Project) -> None:
    """--no-model-check bakes all the same."""
    baked = drifted(project).bake("--no-model-check")
    assert (baked.code, "warning" in baked.stderr) == (0, False)


@pytest.mark.parametrize("where", ["lib/python3/site-packages/", "venv/src/"])
def test_changes_of_an_installed_app_warn(project: Project, where: str) -> None:
    """A package inside the working directory is not the project's own, nor is a venv's source."""
    drifted(project, where=where)
    project.write("venv/pyvenv.cfg")
    baked = project.bake(variables={"PYTHONPATH": where})
    assert baked.code == 0
    assert baked.stderr.startswith(
        "bake: warning: models of the installed app shop differ from its migrations: "
        "AddField item.size\n"
    )


def test_project_apps_names_whose_changes_count(project: Project) -> None:
    """--project-apps decides, wherever the files lie; empty, no app is the project's own."""
    drifted(project, where="lib/python3/site-packages/")
    baked = project.bake("--project-apps", "shop", variables=INSTALLED)
    assert baked.line() == f"{REFUSED}shop (AddField item.size){ADVICE}"
    drifted(project)
    assert project.bake("--project-apps", "").code == 0


def test_a_translation_is_no_change(project: Project) -> None:
    """A project in another language has no changes: Django's own check switches it off too."""
    translated = ITEM.replace("models.CharField(", 'models.CharField(_("user"), ').replace(
        "models\n", "models\nfrom django.utils.translation import gettext_lazy as _\n", 1
    )
    project.settings("shop", more="LANGUAGE_CODE = 'de'\nUSE_I18N = True")
    named = CREATE_ITEM.replace("CharField(", 'CharField("user", ')
    project.app("shop", translated, m0001_initial=migration(operations=named))
    baked = project.bake()
    assert (baked.code, "warning" in baked.stderr) == (0, False)


def test_an_app_switched_off_has_no_changes(project: Project) -> None:
    """An app whose migrations are None is not compared."""
    drifted(project)
    project.settings("shop", "blog", more="MIGRATION_MODULES = {'shop': None}")
    project.app("blog", ITEM, m0001_initial=migration(operations=CREATE_ITEM))
    assert list(project.bake().rows) == ["blog.0001_initial"]


AUTODETECTOR = """
from django.core.management.commands import makemigrations
from django.db.migrations.autodetector import MigrationAutodetector

class Detector(MigrationAutodetector):
    def changes(self, *args, **kwargs):
        {body}

class Command(makemigrations.Command):
    autodetector = Detector
"""


def with_autodetector(project: Project, body: str) -> Project:
    drifted(project)
    project.write("shop/management/__init__.py")
    project.write("shop/management/commands/__init__.py")
    project.write("shop/management/commands/makemigrations.py", AUTODETECTOR.format(body=body))
    return project


def test_a_custom_autodetector_is_asked(project: Project) -> None:
    """What the project's own makemigrations would find is what counts (Django 5.2)."""
    assert with_autodetector(project, "return {}").bake().code == 0


def test_a_comparison_that_fails_is_one_line(project: Project) -> None:
    """A broken autodetector is refused, with the way round it."""
    assert with_autodetector(project, "raise KeyError('oh')").bake().line() == (
        "refused: models and migrations cannot be compared: KeyError: 'oh' "
        "(at shop/management/commands/makemigrations.py:7); --no-model-check leaves that out"
    )


def test_manage_py_ends_with_one_line_too(project: Project) -> None:
    """What nobody foresaw is no traceback in manage.py either."""
    project.shop()
    project.settings("shop", "sidecar")
    project.write(
        "shop/apps.py",
        """
        from django.apps import AppConfig
        from django.utils import translation

        def override(_): raise KeyError("oh")

        class Config(AppConfig):
            name = "shop"
            def ready(self): translation.override = override
        """,
    )
    assert project.by_manage().line(1) == "unexpected KeyError: 'oh' (at shop/apps.py:5)"

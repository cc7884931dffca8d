"""Apps that touch the database, or never let go, while Django starts."""

import pytest

from integration.bake.projects import Project

CONFIG = """
import threading, time
from django.apps import AppConfig
from django.db import OperationalError, connection, transaction

class Config(AppConfig):
    name = "shop"
    def ready(self):
        from shop.models import Item
{ready}
"""


def write(project: Project, *ready: str) -> Project:
    project.shop()
    body = "\n".join(f"        {line}" for line in ready)
    project.write("shop/apps.py", CONFIG.format(ready=body))
    return project


@pytest.mark.parametrize(
    "statement",
    [
        "Item.objects.count()",
        "Item.objects.all().delete()",
        "Item.objects.create(name='x')",
        "connection.cursor().execute('SELECT 1')",
        "connection.ensure_connection()",
        "transaction.atomic().__enter__()",
    ],
)
def test_a_query_in_ready_is_refused(project: Project, statement: str) -> None:
    """No connection opens, whatever ready() does; the app and the line are named."""
    assert write(project, statement).bake().line() == (
        "refused: Django does not start: the app 'shop' failed in AppConfig.ready(): "
        "OperationalError: baking opens no database connection (default) (at shop/apps.py:10)"
    )


def test_an_app_that_tolerates_no_database(project: Project) -> None:
    """An app that expects OperationalError, as at a first deploy, goes on."""
    write(project, "try: Item.objects.count()", "except OperationalError: pass")
    assert list(project.bake().rows) == ["shop.0001_initial"]


def test_the_vendor_is_the_real_one(project: Project) -> None:
    """Apps that branch on the kind of database see the one of the settings."""
    write(project, "assert connection.vendor == 'sqlite'")
    assert project.bake().document["databases"] == {"default": "django.db.backends.sqlite3"}


def test_an_app_that_exits_or_fails(project: Project) -> None:
    """sys.exit in ready() does not pass for a success."""
    assert write(project, "raise SystemExit(0)").bake().line() == (
        "refused: Django does not start: the app 'shop' failed in AppConfig.ready(): "
        "SystemExit: 0 (at shop/apps.py:10)"
    )


def test_a_thread_that_never_ends(project: Project) -> None:
    """A scheduler that an app starts does not keep the image build waiting."""
    write(project, "threading.Thread(target=time.sleep, args=[3600]).start()")
    assert list(project.bake().rows) == ["shop.0001_initial"]


def test_no_database_at_all(project: Project) -> None:
    """Without DATABASES, Django's dummy stands in the manifest, both ways of baking."""
    project.shop()
    project.settings("shop", "sidecar", more="DATABASES = {}")
    found = project.bake()
    assert found.document["databases"] == {"default": "django.db.backends.dummy"}
    assert project.by_manage().written == found.written


def test_a_backend_that_overrides_connect(project: Project) -> None:
    """A connection pool's own connect() is not asked either."""
    project.write("pool/__init__.py")
    project.write(
        "pool/base.py",
        """
        from django.db.backends.sqlite3 import base

        class DatabaseWrapper(base.DatabaseWrapper):
            def connect(self):
                raise AssertionError("connected")
        """,
    )
    write(project, "try: Item.objects.count()", "except OperationalError: pass")
    project.write("with_pool.py", "from site_settings import *\nDATABASES = {'default': "
                  "{'ENGINE': 'pool', 'NAME': '/nowhere/at/all'}}")  # fmt: skip
    assert project.bake(settings="with_pool").document["databases"] == {"default": "pool"}

"""A Django project as `startproject` makes it, with MIGRATIONS empty ones, in the folder PROJECT.

Its /readyz asks the migration executor, as django-health-check did until 3.x. Run as a
program it is a manage.py, or writes the apps (`write`), or times the executor (`time`).
"""

import os
import sys
import time
from pathlib import Path

PROJECT = Path(os.environ["PROJECT"])
A_FOREIGN_KEY = 3
"""Every so many migrations, one depends on the app before."""
NAMES = [f"app_{at:03}" for at in range(int(os.environ["APPS"]))]
A_CHAIN = int(os.environ["MIGRATIONS"]) // len(NAMES)
CONTRIB = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

MIGRATION = """from django.db import migrations


class Migration(migrations.Migration):
    dependencies = {dependencies}
    operations = []
"""


def write() -> None:
    """Write the apps."""
    for number, app in enumerate(NAMES):
        folder = PROJECT / app / "migrations"
        folder.mkdir(parents=True)
        for package in (folder, folder.parent):
            (package / "__init__.py").touch()
        for at in range(1, A_CHAIN + 1):
            before = [(app, f"{at - 1:04}_step")] if at > 1 else []
            if number and at % A_FOREIGN_KEY == 1:
                before.append((NAMES[number - 1], f"{at:04}_step"))
            (folder / f"{at:04}_step.py").write_text(MIGRATION.format(dependencies=before))


def configure() -> None:
    """Configure Django; the database is that of libpq's PG* variables."""
    import django

    sys.path.insert(0, str(PROJECT))
    settings.configure(
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF="django_site",
        INSTALLED_APPS=[*CONTRIB, *NAMES],
        MIDDLEWARE=MIDDLEWARE,
        TEMPLATES=TEMPLATES,
        SECRET_KEY="not one",  # noqa: S106 - nobody signs anything here
        STATIC_URL="static/",
        USE_TZ=True,
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.postgresql",
                "NAME": os.environ["PGDATABASE"],
            }
        },
    )
    django.setup()


def readyz(request: object) -> object:  # noqa: ARG001
    """Answer 200 when the executor has nothing to do."""
    from django.http import HttpResponse

    pending = ask()
    return HttpResponse("pending\n" if pending else "ok\n", status=503 if pending else 200)


def ask() -> object:
    """Return what the executor would apply."""
    from django.db import connections
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connections["default"])
    return executor.migration_plan(executor.loader.graph.leaf_nodes())


if __name__ == "__main__" and sys.argv[1:] == ["write"]:
    write()
    sys.exit()

from django.conf import settings

if not settings.configured:
    configure()

from django.contrib import admin
from django.core.wsgi import get_wsgi_application
from django.urls import path

urlpatterns = [path("admin/", admin.site.urls), path("readyz", readyz)]
application = get_wsgi_application()

if __name__ == "__main__" and sys.argv[1:] == ["time"]:
    ask()
    began = time.process_time()
    assert not ask()
    print(time.process_time() - began)
elif __name__ == "__main__":
    from django.core.management import execute_from_command_line

    execute_from_command_line(["manage.py", *sys.argv[1:]])

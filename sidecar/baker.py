"""Write down the migrations that a Django project expects, for `sidecar` to compare with.

    python baker.py --settings myproject.settings -o manifest.json

Stands alone: the standard library and the project's own Django, Python 3.9 or newer,
Django 4.2 to 6.1. Run it where the app runs, in its final image; it opens no database
connection and needs no secrets. The same code gives the same bytes.

Refuses (exit code 66) what Django's loader refuses, an empty graph, and changes to the
project's own models that no migration holds.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import hashlib
import importlib.util
import json
import os
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FORMAT = 1
REFUSED = 66
USAGE = 64


class Refusal(Exception):
    """Why no manifest was written, in one line."""


# ---------------------------------------------------------------- the command line


class Parser(argparse.ArgumentParser):
    """Wrong usage exits with 64, as everywhere in migration-sidecar."""

    def error(self, message):
        self.exit(USAGE, f"bake: {message}; see --help\n")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what baking asks for; `manage.py bake_migrations` adds the same."""
    parser.add_argument(
        "-o",
        "--output",
        default="manifest.json",
        metavar="FILE",
        help="where to write (- for stdout)",
    )
    parser.add_argument(
        "--release",
        metavar="TEXT",
        help="version or revision of the app, told in /status and metrics",
    )
    parser.add_argument(
        "--optional",
        action="append",
        default=[],
        metavar="PATTERN",
        help="migrations that need not precede traffic, such as 'analytics.*' (repeatable)",
    )
    parser.add_argument(
        "--project-apps",
        metavar="LABELS",
        help="the project's own apps, comma-separated (default: those whose files lie under "
        "the working directory); unmigrated model changes in them are refused",
    )
    parser.add_argument(
        "--no-model-check",
        action="store_true",
        help="do not look for model changes that no migration holds",
    )


def main(argv: list[str] | None = None, program: str = "baker.py") -> int:
    """Bake as the arguments say; return the exit code."""
    parser = Parser(
        prog=program, description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "--settings",
        default=os.environ.get("DJANGO_SETTINGS_MODULE"),
        metavar="MODULE",
        help="the project's settings module (default: $DJANGO_SETTINGS_MODULE)",
    )
    add_arguments(parser)
    options = parser.parse_args(argv)
    if not options.settings:
        parser.error("which settings? give --settings myproject.settings or DJANGO_SETTINGS_MODULE")
    try:
        with offline():
            set_up(options.settings)
            run(options)
    except Refusal as refusal:
        print(f"bake: refused: {refusal}", file=sys.stderr)
        return REFUSED
    return 0


def run(options: argparse.Namespace) -> None:
    """Bake and write; Django is set up already."""
    manifest = bake(options)
    if options.output == "-":
        sys.stdout.write(manifest)
        return
    try:
        Path(options.output).write_text(manifest, encoding="utf-8")
    except OSError as error:
        raise Refusal(f"cannot write {options.output}: {error.strerror}") from None
    count = manifest.count('\n{"migration"')
    print(f"bake: {count} migrations written to {options.output}", file=sys.stderr)


def warn(message):
    print(f"bake: warning: {message}", file=sys.stderr)


# ---------------------------------------------------------------- the project


@contextlib.contextmanager
def offline() -> Iterator[None]:
    """Let no database connection open: baking runs where there is none.

    The error is an OperationalError, so that apps which tolerate an absent database in
    `AppConfig.ready()` go on tolerating it.
    """
    try:
        from django.db.backends.base.base import BaseDatabaseWrapper
        from django.db.utils import OperationalError
    except ImportError:
        raise Refusal("Django is not installed here; bake in the app's own environment") from None

    def connect(self):
        raise OperationalError(f"baking opens no database connection ({self.alias})")

    original, BaseDatabaseWrapper.connect = BaseDatabaseWrapper.connect, connect
    try:
        yield
    finally:
        BaseDatabaseWrapper.connect = original


def set_up(settings_module):
    """Start Django as manage.py would, with the working directory on the path."""
    import django
    from django.conf import settings

    here = str(Path.cwd())
    # As a script, this file's own folder comes first on the path and would shadow the
    # project's modules with its neighbours.
    own = str(Path(__file__).resolve().parent)
    sys.path[:] = [here] + [p for p in sys.path if p not in (here, "") and p != own]
    os.environ["DJANGO_SETTINGS_MODULE"] = settings_module
    try:
        settings.INSTALLED_APPS  # noqa: B018 - reading one setting imports the module
    except Exception as error:
        raise Refusal(
            f"the settings {settings_module} cannot be imported: {explain(error)}; if they demand "
            "a variable, any value will do for baking"
        ) from error
    try:
        django.setup()
    except Exception as error:
        raise Refusal(f"Django does not start: {blame(error)}{explain(error)}") from error


def explain(error):
    """Say what an exception of the project's code is, and where it arose."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text} (at {frame.filename}:{frame.lineno})"


def blame(error):
    """Name the app whose `AppConfig.ready()` was running."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        label = getattr(frame.f_locals.get("self"), "label", None)
        if frame.f_code.co_name == "ready" and label:
            return f"the app {label!r} failed in AppConfig.ready(): "
    return ""


# ---------------------------------------------------------------- the graph


def load():
    """Return Django's loader for an empty database, in an order that no hash seed changes."""
    from django.apps import apps
    from django.core.management.base import CommandError
    from django.db.migrations import exceptions
    from django.db.migrations.loader import MigrationLoader

    class Loader(MigrationLoader):  # type: ignore[misc]  # Django is untyped
        disk_migrations: dict[tuple[str, str], Any]

        def load_disk(self):
            super().load_disk()
            order = {config.label: n for n, config in enumerate(apps.get_app_configs())}
            found = sorted(self.disk_migrations, key=lambda key: (order[key[0]], key[1]))
            self.disk_migrations = {key: self.disk_migrations[key] for key in found}

    loader = Loader(None, load=False)
    try:
        loader.build_graph()
    except exceptions.CircularDependencyError as error:
        raise Refusal(f"migrations depend on each other in a cycle: {error}") from None
    except exceptions.NodeNotFoundError as error:
        raise Refusal(str(error)) from None
    except (ValueError, CommandError) as error:
        raise Refusal(f"{error}{blame_dependency(loader)}") from None
    except Exception as error:
        raise Refusal(f"a migration cannot be loaded: {explain(error)}") from error
    conflicts = loader.detect_conflicts()
    if conflicts:
        named = "; ".join(
            f"{', '.join(names)} in {app}" for app, names in sorted(conflicts.items())
        )
        raise Refusal(
            f"conflicting migrations, each the last of its app: {named}; "
            "merge them with manage.py makemigrations --merge"
        )
    if not loader.disk_migrations:
        raise Refusal("these settings yield no migrations at all; are they the right settings?")
    return loader


def blame_dependency(loader):
    """Name the migrations that refer to the first or last of an app that has none."""
    known = getattr(loader, "migrated_apps", set()) | getattr(loader, "unmigrated_apps", set())
    filled = {app for app, _ in loader.disk_migrations or {}}
    culprits = [
        name(key)
        for key, migration in (loader.disk_migrations or {}).items()
        for app, which in [*migration.dependencies, *migration.run_before]
        if which in ("__first__", "__latest__") and (app not in known or app not in filled)
    ]
    return f" (in {', '.join(sorted(set(culprits)))})" if culprits else ""


def unreplaced_graph(loader):
    """Return the graph before squashes replace anything, its indirections resolved by Django."""
    from django.db.migrations.graph import MigrationGraph

    replaced = loader.graph
    loader.graph = graph = MigrationGraph()
    try:
        for key, migration in loader.disk_migrations.items():
            graph.add_node(key, migration)
        for key, migration in loader.disk_migrations.items():
            loader.add_internal_dependencies(key, migration)
        for key, migration in loader.disk_migrations.items():
            loader.add_external_dependencies(key, migration)
    finally:
        loader.graph = replaced
    return graph


def name(key):
    return f"{key[0]}.{key[1]}"


def names(keys):
    return [name(key) for key in sorted(getattr(k, "key", k) for k in keys)]


def warn_of_undefined_order(loader):
    """Name the squashes for which Django's answer depends on the order of a set."""
    import django

    if django.VERSION >= (6, 1):
        return
    squashes = {key: set(migration.replaces) for key, migration in loader.replacements.items()}
    for outer, replaced in squashes.items():
        for other, likewise in squashes.items():
            if other[0] != outer[0] or other == outer:
                continue
            if other in replaced and django.VERSION < (6, 0):
                warn(
                    f"{name(outer)} replaces the squash {name(other)}: before Django 6.0 the "
                    "outcome depends on the order in which files are found; sorted order is taken"
                )
            elif other > outer and replaced & likewise:
                warn(
                    f"{name(outer)} and {name(other)} replace some of the same migrations: before "
                    "Django 6.1 the outcome depends on the order in which files are found; "
                    "sorted order is taken"
                )


# ---------------------------------------------------------------- facts about a migration


def fingerprint(loader, key):
    """Return the digest of a migration's code; formatting, comments and docstrings do not count."""
    module = f"{loader.migrations_module(key[0])[0]}.{key[1]}"
    try:
        spec = importlib.util.find_spec(module)
        # A zipped package has its source too; an extension module or a lone .pyc has none.
        source = spec.loader.get_source(module)  # type: ignore[union-attr]
    except (ImportError, AttributeError, OSError):
        return None
    if source is None:
        return None
    # Built from the tree and not by ast.dump, whose text differs between Python versions.
    text = repr(shape(ast.parse(source)))
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def shape(node):
    if isinstance(node, list):
        return [shape(item) for item in node if not is_text(item)]
    if not isinstance(node, ast.AST):
        return node
    fields = [
        (field, shape(value)) for field, value in ast.iter_fields(node) if field not in UNSAID
    ]
    return (
        type(node).__name__,
        [(field, value) for field, value in fields if value not in (None, [])],
    )


UNSAID = ("ctx", "kind", "type_comment", "type_ignores", "type_params")


def is_text(node):
    """Tell whether a statement is only a string, as a docstring is."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def flatten(operations):
    """Yield operations, those inside SeparateDatabaseAndState that reach the database included."""
    for operation in operations:
        inner = getattr(operation, "database_operations", None)
        if inner is None:
            yield operation
        else:
            yield from flatten(inner)


def describe(operation):
    """Name an operation and what it is about, such as `AddField product.sku`."""
    kind = type(operation).__name__
    inner = getattr(operation, "database_operations", None)
    if inner is not None:
        return f"{kind}({', '.join(map(describe, inner))})"
    about = [getattr(operation, "model_name", None)]
    if getattr(operation, "old_name", None):
        about.append(f"{operation.old_name} -> {operation.new_name}")
    else:
        thing = getattr(operation, "index", None) or getattr(operation, "constraint", None)
        code = getattr(operation, "code", None)
        about.append(getattr(thing, "name", None) or getattr(operation, "name", None))
        about.append(getattr(code, "__name__", None))
    return " ".join([kind, ".".join(str(part) for part in about if part)]).rstrip()


def touches_data(operation):
    return type(operation).__name__ in ("RunPython", "RunSQL")


# ---------------------------------------------------------------- what breaks running code


def breakages(operation, app, state):
    """Yield what an operation takes from code that knows only the state before it."""
    kind = next((c.__name__ for c in type(operation).__mro__ if c.__name__ in JUDGES), None)
    judge = JUDGES.get(kind or "")
    model = getattr(operation, "model_name", None) or getattr(operation, "name", "") or ""
    if kind == "RenameModel":
        model = operation.old_name
    known = state.models.get((app, model.lower()))
    if judge is None or (known is not None and not known.options.get("managed", True)):
        return
    if known is not None and known.options.get("proxy"):
        return
    yield from judge(operation, f"{app}.{model.lower()}", known)


def deletes_model(operation, model, known):
    yield f"removes the table of {model}"


def renames_model(operation, model, known):
    if not (known and known.options.get("db_table")):
        yield f"renames the table of {model}"


def moves_table(operation, model, known):
    if known is None or known.options.get("db_table") != operation.table:
        yield f"renames the table of {model}"


def removes_field(operation, model, known):
    yield f"removes the column {model}.{operation.name}"


def renames_field(operation, model, known):
    field = known and known.fields.get(operation.old_name)
    if field is None or not field.db_column:
        yield f"renames the column {model}.{operation.old_name}"


def adds_field(operation, model, known):
    if demands_value(operation.field):
        yield f"adds the column {model}.{operation.name}, NOT NULL without a database default"


def alters_field(operation, model, known):
    column, new = f"{model}.{operation.name}", operation.field
    old = known and known.fields.get(operation.name)
    if old is None:
        return
    if type(old) is not type(new):
        yield f"changes the type of {column} from {type(old).__name__} to {type(new).__name__}"
    elif length(new) < length(old):
        yield f"shortens {column} from {old.max_length} to {new.max_length}"
    if demands_value(new) and not demands_value(old):
        yield f"demands a value of {column}: NOT NULL without a database default"
    if new.unique and not old.unique:
        yield f"makes {column} unique"
    if (old.db_column or operation.name) != (new.db_column or operation.name):
        yield f"renames the column {column}"


def adds_constraint(operation, model, known):
    yield f"adds the constraint {operation.constraint.name} to {model}"


def adds_unique_together(operation, model, known):
    before = set((known and known.options.get("unique_together")) or ())
    for fields in sorted(set(operation.unique_together) - before):
        yield f"makes {', '.join(fields)} of {model} unique together"


def orders_by(operation, model, known):
    if operation.order_with_respect_to:
        yield f"adds the column {model}._order, NOT NULL without a database default"


JUDGES = {
    "DeleteModel": deletes_model,
    "RenameModel": renames_model,
    "AlterModelTable": moves_table,
    "RemoveField": removes_field,
    "RenameField": renames_field,
    "AddField": adds_field,
    "AlterField": alters_field,
    "AddConstraint": adds_constraint,
    "AlterUniqueTogether": adds_unique_together,
    "AlterOrderWithRespectTo": orders_by,
}


def demands_value(field):
    """Tell whether an INSERT that does not name the column must fail."""
    from django.db import models

    absent = getattr(models, "NOT_PROVIDED", models.fields.NOT_PROVIDED)
    return not (
        field.null
        or field.many_to_many
        or getattr(field, "generated", False)
        or isinstance(field, models.AutoField)
        or getattr(field, "db_default", absent) is not absent
    )


def length(field):
    return float("inf") if field.max_length is None else field.max_length


def walk(graph, state, judged):
    """Play the graph's migrations on the state; note in `judged` what each breaks."""
    done = set()
    for leaf in graph.leaf_nodes():
        for key in graph.forwards_plan(leaf):
            if key in done:
                continue
            done.add(key)
            migration, found = graph.nodes[key], []
            for operation in migration.operations:
                for inner in flatten([operation]):
                    found += breakages(inner, key[0], state)
                operation.state_forwards(key[0], state)
            judged.setdefault(key, found)
    return state


def judge(loader):
    """Return the final state of the models, and what each migration breaks."""
    from django.db.migrations.state import ProjectState

    judged: dict[tuple[str, str], list[str]] = {}
    state = walk(loader.graph, ProjectState(real_apps=loader.unmigrated_apps), judged)
    if loader.replacements:
        # The originals of a squash run on databases that are half-way through them.
        graph = unreplaced_graph(loader)
        for key, migration in loader.replacements.items():
            graph.remove_replacement_node(key, migration.replaces)
        with contextlib.suppress(Exception):  # their files may be gone, and with them the state
            walk(graph, ProjectState(real_apps=loader.unmigrated_apps), judged)
    return state, judged


# ---------------------------------------------------------------- models without migrations


def check_models(loader, state, options):
    """Refuse model changes of the project's own apps that no migration holds; warn of others'."""
    own = own_apps(options.project_apps)
    for app, operations in sorted(model_changes(loader, state).items()):
        what = ", ".join(describe(operation) for operation in operations)
        if app in own:
            raise Refusal(
                f"models of {app} have changes that no migration holds: {what}; "
                "run manage.py makemigrations (or bake with --no-model-check)"
            )
        warn(f"models of the installed app {app} differ from its migrations: {what}")


def own_apps(given):
    from django.apps import apps

    labels = {config.label for config in apps.get_app_configs()}
    if given is not None:
        chosen = {label.strip() for label in given.split(",") if label.strip()}
        for label in sorted(chosen - labels):
            raise Refusal(f"--project-apps names {label}, which is no installed app")
        return chosen
    here = Path.cwd().resolve()
    return {
        config.label
        for config in apps.get_app_configs()
        if here in (path := Path(config.path).resolve()).parents
        and not {"site-packages", "dist-packages"} & set(path.parts)
    }


def model_changes(loader, state):
    """Return the operations by app that `makemigrations` would write."""
    from django.apps import apps
    from django.core.management import get_commands, load_command_class
    from django.db.migrations.autodetector import MigrationAutodetector
    from django.db.migrations.questioner import NonInteractiveMigrationQuestioner
    from django.db.migrations.state import ProjectState

    command = load_command_class(get_commands()["makemigrations"], "makemigrations")
    detector = getattr(command, "autodetector", MigrationAutodetector)
    questioner = NonInteractiveMigrationQuestioner(
        specified_apps=set(), dry_run=True, verbosity=0, log=lambda _: None
    )
    changes = detector(state, ProjectState.from_apps(apps), questioner).changes(graph=loader.graph)
    return {
        app: [operation for migration in migrations for operation in migration.operations]
        for app, migrations in changes.items()
    }


# ---------------------------------------------------------------- the manifest


def bake(options):
    """Return the manifest's text. Raises Refusal."""
    loader = load()
    warn_of_undefined_order(loader)
    state, judged = judge(loader)
    if not options.no_model_check:
        check_models(loader, state, options)
    return manifest(loader, judged, options.release, options.optional)


def manifest(loader, judged, release=None, optional=()):
    """Return the manifest's text for a loader that has built its graph."""
    import django
    from django.apps import apps
    from django.conf import settings

    labels = [config.label for config in apps.get_app_configs()]
    installed = "\n".join(settings.INSTALLED_APPS)
    graph = graph_text(loader, judged, labels, optional)
    head = {
        "format": FORMAT,
        "digest": "sha256:" + hashlib.sha256(graph.encode()).hexdigest(),
        "release": release,
        "django": django.get_version(),
        "settings": os.environ.get("DJANGO_SETTINGS_MODULE"),
        "installed_apps": "sha256:" + hashlib.sha256(installed.encode()).hexdigest(),
        "databases": {a: d.get("ENGINE", "") for a, d in sorted(settings.DATABASES.items())},
    }
    return f'{dump(head)[:-1]},"graph":{graph}}}\n'


def graph_text(loader, judged, labels, optional):
    """Return the part of the manifest that decides; the digest is of these bytes."""
    import django

    graph = unreplaced_graph(loader)
    rows = [entry(loader, graph, key, judged) for key in loader.disk_migrations]
    body = {
        "squashing": "recursive" if django.VERSION >= (6, 0) else "flat",
        "apps": [label for label in labels if label in loader.migrated_apps],
        "optional": sorted(optional),
        "missing": [missing(node) for _, node in sorted(graph.node_map.items()) if is_dummy(node)],
    }
    lines = ",\n".join(dump(row) for row in rows)
    return f'{dump(body)[:-1]},"migrations":[\n{lines}\n]}}'


def entry(loader, graph, key, judged):
    """Return one migration as the manifest tells it; what is usual is left out."""
    migration = loader.disk_migrations[key]
    operations = list(flatten(migration.operations))
    unusual = {
        "dependencies": names(graph.node_map[key].parents),
        "replaces": list(dict.fromkeys(name(tuple(replaced)) for replaced in migration.replaces)),
        "operations": [describe(operation) for operation in migration.operations],
        "ast": fingerprint(loader, key),
        "touches_data": any(map(touches_data, operations)),
        "breaks": judged.get(key),
    }
    row = {"migration": name(key), **{field: value for field, value in unusual.items() if value}}
    if not migration.atomic:
        row["atomic"] = False
    if not all(operation.reversible for operation in migration.operations):
        row["reversible"] = False
    return row


def is_dummy(node):
    return hasattr(node, "raise_error")


def missing(node):
    origin = node.origin
    return {
        "migration": name(node.key),
        "wanted_by": f"{origin.app_label}.{origin.name}",
        "dependencies": names(node.parents),
    }


def dump(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


if __name__ == "__main__":
    sys.exit(main())

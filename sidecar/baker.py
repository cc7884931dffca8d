"""Write down the migrations that a Django project expects, for `sidecar` to compare with.

    python baker.py --settings myproject.settings -o manifest.json

Stands alone: the standard library and the project's own Django, Python 3.9 or newer,
Django 4.2 to 6.1. Run it where the app runs, in its final image; it opens no database
connection and needs no secrets. The same code gives the same bytes.

Refuses (exit code 66) what Django's loader refuses, an empty graph, and changes to the
project's own models that no migration holds. Whatever goes wrong is said in one line.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import hashlib
import importlib.util
import json
import os
import re
import sys
import sysconfig
import threading
import traceback
import warnings
from collections.abc import Iterator
from fnmatch import fnmatchcase
from operator import lt
from pathlib import Path
from typing import Any

FORMAT = 1
UNFORESEEN = 1
USAGE = 64
REFUSED = 66
INTERRUPTED = 130


class Refusal(Exception):
    """Why no manifest was written, in one line."""

    code = REFUSED

    def __str__(self):
        return f"refused: {super().__str__()}"


class WrongUsage(Refusal):
    """The arguments cannot be meant."""

    code = USAGE
    __str__ = Exception.__str__


class Unforeseen(Refusal):
    """What no line of this file foresaw."""

    code = UNFORESEEN
    __str__ = Exception.__str__


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
        prog=program,
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
        allow_abbrev=False,
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
    code = 0
    try:
        with guarded():
            find_project()
            with offline():
                set_up(options.settings)
                run(options)
    except Refusal as refusal:
        print(f"bake: {refusal}", file=sys.stderr)
        code = refusal.code
    except KeyboardInterrupt:
        code = INTERRUPTED
    return leave(code)


def run(options: argparse.Namespace) -> None:
    """Bake and write; Django is set up already."""
    with contextlib.redirect_stdout(sys.stderr):  # projects print; stdout is the manifest's
        text = bake(options)
    data = text.encode()
    to_stdout = options.output == "-"
    try:
        with open(1 if to_stdout else options.output, "wb", closefd=not to_stdout) as file:
            file.write(data)
    except OSError as error:
        raise Refusal(f"cannot write {options.output}: {error.strerror}") from None
    if not to_stdout:
        count = text.count('\n{"migration"')
        print(f"bake: {count} migrations written to {options.output}", file=sys.stderr)


@contextlib.contextmanager
def guarded() -> Iterator[None]:
    """Turn what was not foreseen into one line as well; no traceback gets out."""
    try:
        yield
    except Refusal:
        raise
    except (Exception, SystemExit) as error:
        raise Unforeseen(f"unexpected {explain(error)}") from error


def leave(code: int) -> int:
    """Return the exit code; where an app has started threads that never end, exit at once."""
    if any(not t.daemon for t in threading.enumerate() if t is not threading.main_thread()):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return code


def warn(message):
    print(f"bake: warning: {message}", file=sys.stderr)


# ---------------------------------------------------------------- the project


def find_project():
    """Put the working directory first on the path, as manage.py would.

    A script's own folder comes first by itself. That folder stays off the path where it is
    our package: its modules (`core`, `settings`, `errors`) would shadow the project's.
    """
    here, own = str(Path.cwd()), Path(__file__).resolve().parent
    packaged = (own / "__init__.py").exists() and str(own) != here
    kept = [p for p in sys.path if p not in (here, "") and not (packaged and p == str(own))]
    sys.path[:] = [here, *kept]


@contextlib.contextmanager
def offline() -> Iterator[None]:
    """Let no database connection open: baking runs where there is none.

    The error is an OperationalError, so that apps which tolerate an absent database in
    `AppConfig.ready()` go on tolerating it.
    """
    try:
        from django.db.backends.base.base import BaseDatabaseWrapper
        from django.db.utils import OperationalError
    except ImportError as error:
        raise Refusal(
            f"Django cannot be imported here ({error}); bake in the app's own environment"
        ) from None

    def connect(self):
        raise OperationalError(f"baking opens no database connection ({self.alias})")

    # Some backends override the first, and the second asks them for it.
    originals = {name: vars(BaseDatabaseWrapper)[name] for name in ("connect", "ensure_connection")}
    for method in originals:
        setattr(BaseDatabaseWrapper, method, connect)
    try:
        yield
    finally:
        for method, original in originals.items():
            setattr(BaseDatabaseWrapper, method, original)


def set_up(settings_module):
    """Start Django as manage.py would."""
    import django
    from django.conf import settings

    os.environ["DJANGO_SETTINGS_MODULE"] = settings_module
    with contextlib.redirect_stdout(sys.stderr):
        try:
            settings.INSTALLED_APPS  # noqa: B018 - reading one setting imports the module
        except (Exception, SystemExit) as error:
            raise Refusal(
                f"the settings {settings_module} cannot be imported: {explain(error)}"
                f"{advise(error, settings_module)}"
            ) from error
        try:
            django.setup()
        except (Exception, SystemExit) as error:
            raise Refusal(f"Django does not start: {blame(error)}{explain(error)}") from error
    if not (4, 2) <= django.VERSION < (6, 2):
        warn(f"this was tested with Django 4.2 to 6.1, not with {django.get_version()}")


def advise(error, settings_module):
    """Say what to do about settings that cannot be imported."""
    if isinstance(error, ImportError):
        asked = settings_module == error.name or settings_module.startswith(f"{error.name}.")
        return "; bake in the project's folder, or set PYTHONPATH" if asked else ""
    if isinstance(error, SyntaxError):
        return ""
    return "; if they demand a variable, any value will do for baking"


def explain(error):
    """Say what an exception of the project's code is, and where it arose."""
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    text = re.sub(r"(://[^\s/@]*?:)\S+@", r"\1***@", " ".join(text.split()))
    return f"{type(error).__name__}: {text}{place(error)}"


def place(error):
    """Say where in the project an error arose, or else in which package."""
    spots = [(f.f_code.co_filename, line) for f, line in traceback.walk_tb(error.__traceback__)]
    if isinstance(error, SyntaxError) and error.filename:
        spots.append((error.filename, error.lineno or 1))
    django = getattr(sys.modules.get("django"), "__file__", __file__)
    unhelpful = ("<", __file__, str(Path(django).parent) + os.sep)
    stdlib = sysconfig.get_path("stdlib")
    spots = [
        (file, line)
        for file, line in spots
        if not file.startswith(unhelpful) and (is_package(file) or not file.startswith(stdlib))
    ]
    if not spots:
        return ""
    file, line = ([spot for spot in spots if not is_package(spot[0])] or spots)[-1]
    with contextlib.suppress(OSError):  # the working directory may be gone
        file = file.removeprefix(str(Path.cwd()) + os.sep)
    return f" (at {file}:{line})"


def is_package(path):
    """Tell whether a file was installed, and is not the project's own."""
    return not {"site-packages", "dist-packages"}.isdisjoint(Path(path).parts)


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
    from django.core.management.base import CommandError
    from django.db.migrations import exceptions

    loader = loader_in_order()
    try:
        loader.build_graph()
    except exceptions.CircularDependencyError as error:
        raise Refusal(f"migrations depend on each other in a cycle: {turn(str(error))}") from None
    except exceptions.NodeNotFoundError as error:
        raise Refusal(explain_missing(error)) from None
    except (ValueError, CommandError) as error:
        raise Refusal(f"{error}{blame_dependency(loader)}") from None
    finally:
        warn_of_undefined_order(loader)
    refuse_empty(loader)
    refuse_conflicts(loader)
    return loader


def loader_in_order():
    """Return a loader, nothing loaded yet, that finds apps as installed and sorts the names."""
    from django.apps import apps
    from django.db.migrations.loader import MigrationLoader

    class Loader(MigrationLoader):  # type: ignore[misc]  # Django is untyped
        disk_migrations: dict[tuple[str, str], Any]

        def load_disk(self):
            try:
                super().load_disk()
            except (Exception, SystemExit) as error:
                raise Refusal(f"{blame_file(error)} cannot be loaded: {explain(error)}") from error
            order = {config.label: n for n, config in enumerate(apps.get_app_configs())}
            found = sorted(self.disk_migrations, key=lambda key: (order[key[0]], key[1]))
            self.disk_migrations = {key: self.disk_migrations[key] for key in found}
            refuse_malformed(self.disk_migrations)

    return Loader(None, load=False)


def blame_file(error):
    """Name what the loader was importing, as its frame still knows."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        known = frame.f_locals
        if frame.f_code.co_name == "load_disk" and "app_config" in known:
            label, package = known["app_config"].label, known.get("module_name")
            if known.get("migration_path", "").startswith(f"{package}."):
                return f"the migration {label}.{known['migration_name']}"
            return f"the migrations of {label} ({package})"
    return "the migrations"


def refuse_malformed(migrations):
    """Name the migration whose references Django would only stumble over."""
    for key, migration in migrations.items():
        for field in ("dependencies", "run_before", "replaces"):
            for entry in getattr(migration, field):
                if not isinstance(entry, tuple) or len(entry) != 2:
                    raise Refusal(f"{name(key)} has {entry!r} in {field}: no tuple (app, name)")


def turn(cycle):
    """Start a cycle at its first name: Django starts it anywhere."""
    found = cycle.split(", ")
    first = found.index(min(found))
    return ", ".join(found[first:] + found[:first])


def explain_missing(error):
    """Name both ends of a dependency that leads nowhere."""
    if error.origin is None:
        return str(error)
    verb = "is to run before" if "child node" in str(error) else "depends on"
    known = "wasn't able to" in str(error) and " (and the squash that replaces it is unusable)"
    return f"{error.origin} {verb} {name(error.node)}, which no file defines{known or ''}"


def blame_dependency(loader):
    """Name the migrations that refer to the first or last of an app that has none."""
    known = loader.migrated_apps | loader.unmigrated_apps
    filled = {app for app, _ in loader.disk_migrations}
    culprits = [
        name(key)
        for key, migration in loader.disk_migrations.items()
        for app, which in [*migration.dependencies, *migration.run_before]
        if which in ("__first__", "__latest__") and (app not in known or app not in filled)
    ]
    return f" (in {', '.join(sorted(set(culprits)))})" if culprits else ""


def refuse_empty(loader):
    from django.conf import settings

    if not loader.disk_migrations:
        raise Refusal(
            f"the settings {os.environ.get('DJANGO_SETTINGS_MODULE')} yield no migrations at all "
            f"({len(settings.INSTALLED_APPS)} installed apps); are they the right settings?"
        )


def refuse_conflicts(loader):
    for key, migration in loader.replacements.items():
        if key in migration.replaces:
            raise Refusal(f"{name(key)} replaces itself")
    conflicts = loader.detect_conflicts()
    if conflicts:
        named = "; ".join(
            f"{', '.join(found)} in {app}" for app, found in sorted(conflicts.items())
        )
        raise Refusal(
            f"conflicting migrations, each the last of its app: {named}; "
            "merge them with manage.py makemigrations --merge"
        )


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
    replacements = getattr(loader, "replacements", {})  # none yet where a file is broken
    squashes = {key: set(migration.replaces) for key, migration in replacements.items()}
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
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they were given when the file was imported
            # Built from the tree and not by ast.dump, whose text differs by Python version.
            text = repr(shape(ast.parse(source)))
    except RecursionError:
        return None
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
        return f"{kind}({', '.join(map(describe, inner)) or 'state only'})"
    about = [getattr(operation, "model_name", None)]
    if getattr(operation, "new_name", None):
        old = getattr(operation, "old_name", None)  # an index may have had none
        about.append(f"{old or '?'} -> {operation.new_name}")
    else:
        thing = getattr(operation, "index", None) or getattr(operation, "constraint", None)
        code = getattr(operation, "code", None)
        about.append(getattr(thing, "name", None) or getattr(operation, "name", None))
        about.append(getattr(code, "__name__", None))
    return " ".join([kind, ".".join(str(part) for part in about if part)]).rstrip()


def touches_data(operation):
    """Tell whether code or SQL of the project's runs; what it does cannot be known."""
    from django.db.migrations import RunPython, RunSQL

    if isinstance(operation, RunPython):
        return operation.code is not RunPython.noop
    return isinstance(operation, RunSQL) and operation.sql != RunSQL.noop


def is_reversible(operation):
    """Tell whether Django can go back; one irreversible operation inside another is enough."""
    inner = getattr(operation, "database_operations", None) or []
    return bool(operation.reversible) and all(map(is_reversible, inner))


# ---------------------------------------------------------------- what breaks running code
#
# Only what is certain from the operation and the state before it is claimed: nothing of
# RunSQL, RunPython or an operation of the project's own that does its own thing to the
# database, nothing of a table or column that the same migration has made, nothing of a
# model without a table (proxy, unmanaged, swapped out).


def judge_graph(loader):
    """Return the final state of the models, and what each migration breaks."""
    from django.db.migrations.state import ProjectState

    judged: dict[tuple[str, str], list[str]] = {}
    state = ProjectState(real_apps=loader.unmigrated_apps)
    for key, migration in in_order(loader.graph):
        judged[key] = play(migration, state)
    return state, judged


def judge_originals(loader, judged):
    """Judge what squashes stand for: it runs on databases that are half-way through them."""
    from django.db.migrations.exceptions import CircularDependencyError
    from django.db.migrations.state import ProjectState

    if not loader.replacements:
        return
    graph = graph_of_originals(loader)
    try:
        graph.ensure_not_cyclic()
    except CircularDependencyError:
        return  # a squash was made to undo the cycle
    state = ProjectState(real_apps=loader.unmigrated_apps)
    for key, migration in in_order(graph):
        # What they need may be deleted; then nothing is said of them.
        with contextlib.suppress(Refusal):
            judged.setdefault(key, play(migration, state))


def graph_of_originals(loader):
    """Return the graph in which originals stay and squashes go, where the files still exist."""
    graph, squashes = unreplaced_graph(loader), dict(loader.replacements)
    while squashes:
        inner = {key for migration in squashes.values() for key in migration.replaces}
        for key in [key for key in squashes if key not in inner] or list(squashes):
            replaces = squashes.pop(key).replaces
            if key not in graph.node_map:
                continue
            if all(original in loader.disk_migrations for original in replaces):
                graph.remove_replacement_node(key, replaces)
            else:
                graph.remove_replaced_nodes(key, replaces)
    return graph


def in_order(graph):
    """Yield each migration after what it depends on."""
    done = set()
    for leaf in graph.leaf_nodes():
        for key in graph.forwards_plan(leaf):
            if key not in done and graph.nodes[key] is not None:
                done.add(key)
                yield key, graph.nodes[key]


def play(migration, state):
    """Play a migration on the state; return what it takes from code that knows only the old one."""
    found: list[str] = []
    new: set[tuple[str, ...]] = set()
    for operation in migration.operations:
        with contextlib.suppress(Exception):  # an opinion on odd code; it must not stop a bake
            found += breakages(operation, migration.app_label, state, new)
        try:
            operation.state_forwards(migration.app_label, state)
        except Exception as error:
            raise Refusal(
                f"{migration} does not fit the migrations before it: {describe(operation)}: "
                f"{explain(error)}"
            ) from error
    return found


def breakages(operation, app, state, new):
    """Return what an operation breaks; `new` holds what the same migration has made so far."""
    inner = getattr(operation, "database_operations", None)
    if inner is not None:
        return breakages_inside(inner, app, state, new)
    kind = kind_of(operation)
    subject = getattr(operation, "model_name", None) or getattr(operation, "name", None) or ""
    model = state.models.get((app, str(subject).lower()))
    found = []
    if model is not None and has_table(model) and (model.name_lower,) not in new:
        found = list(JUDGES.get(kind, nothing)(operation, Table(model, new)))
    note_new(operation, kind, model, new)
    return found


def breakages_inside(operations, app, state, new):
    """Return what the database's side of SeparateDatabaseAndState breaks, one after the other."""
    found: list[str] = []
    state = state.clone() if operations else state
    for operation in operations:
        found += breakages(operation, app, state, new)
        operation.state_forwards(app, state)
    return found


def kind_of(operation):
    """Return which of Django's operations this is to the database, if it is one at all."""
    forwards = getattr(type(operation), "database_forwards", None)
    if not getattr(forwards, "__module__", "").startswith("django."):
        return None
    kinds = [c for c in type(operation).__mro__ if c.__module__.startswith("django.db.migrations.")]
    return kinds[0].__name__ if kinds else None


def note_new(operation, kind, model, new):
    """Remember the tables and columns that no running code can know yet."""
    if kind == "CreateModel":
        new.add((operation.name_lower,))
    elif kind == "RenameModel" and (operation.old_name_lower,) in new:
        new.add((operation.new_name_lower,))
    elif kind == "AddField" and model is not None:
        new.add((model.name_lower, operation.name))
    elif kind == "RenameField" and model and (model.name_lower, operation.old_name) in new:
        new.add((model.name_lower, operation.new_name))


def has_table(model):
    """Tell whether a model has a table that migrations make."""
    from django.conf import settings

    options = model.options
    swapped = getattr(settings, options.get("swappable") or "", None)
    ours = swapped is None or swapped.lower() == f"{model.app_label}.{model.name_lower}"
    return ours and options.get("managed", True) and not options.get("proxy")


class Table:
    """A model as it is before an operation."""

    def __init__(self, model, new):
        self.label = f"{model.app_label}.{model.name_lower}"
        self.options = model.options
        self.fields = model.fields
        self.name = model.options.get("db_table") or self.label.replace(".", "_", 1)
        self._new = {names[1] for names in new if names[0] == model.name_lower and names[1:]}

    def is_new(self, field):
        return field in self._new

    def column(self, field, name):
        """Return the column of a field, said with its model; None where there is none."""
        if field.many_to_many:
            return None
        bound = field.clone()
        bound.set_attributes_from_name(name)
        return bound.column and f"{self.label}.{bound.column}"

    def link(self, field, name):
        """Return the table that Django makes for a many-to-many field, if it makes one."""
        made = field.many_to_many and field.remote_field.through is None
        return (field.db_table or f"{self.name}_{name}") if made else None


def nothing(operation, table):
    return ()


def deletes_model(operation, table):
    yield f"removes the table of {table.label}"


def renames_model(operation, table):
    if not table.options.get("db_table") and operation.old_name_lower != operation.new_name_lower:
        yield f"renames the table of {table.label}"


def moves_table(operation, table):
    if (operation.table or table.label.replace(".", "_", 1)) != table.name:
        yield f"renames the table of {table.label}"


def removes_field(operation, table):
    field = table.fields[operation.name]
    if table.is_new(operation.name):
        return
    if table.link(field, operation.name):
        yield f"removes the table of {table.label}.{operation.name} (many to many)"
    elif column := table.column(field, operation.name):
        yield f"removes the column {column}"


def renames_field(operation, table):
    old, new = operation.old_name, operation.new_name
    field = table.fields[old]
    if table.is_new(old):
        return
    if table.link(field, old) != table.link(field, new):
        yield f"renames the table of {table.label}.{old} (many to many)"
    elif table.column(field, old) != table.column(field, new):
        yield f"renames the column {table.column(field, old)}"


def adds_field(operation, table):
    column = table.column(operation.field, operation.name)
    if column and demands_value(operation.field):
        yield f"adds the column {column}, NOT NULL without a database default"


def alters_field(operation, table):
    old, new = table.fields[operation.name], operation.field
    before, after = (table.column(field, operation.name) for field in (old, new))
    if table.link(old, operation.name) != table.link(new, operation.name):
        yield f"renames the table of {table.label}.{operation.name} (many to many)"
    elif before and table.is_new(operation.name):
        if demands_value(new) and not demands_value(old):
            yield f"adds the column {before}, NOT NULL without a database default"
    elif before and after:
        yield from alters_column(before, old, new)
        if before != after:
            yield f"renames the column {before}"


def alters_column(column, old, new):
    yield from alters_type(column, old, new)
    if old.null and not new.null:
        yield f"forbids NULL in {column}"
    elif not new.null and has_default(old) and not has_default(new):
        yield f"removes the database default of {column}, which is NOT NULL"
    if new.unique and not old.unique:
        yield f"makes {column} unique"


def alters_type(column, old, new):
    """Say when a column's values are fewer or others than before; to widen it breaks nothing."""
    if old.is_relation or new.is_relation:
        was, now = (str(f.is_relation and f.remote_field.model).lower() for f in (old, new))
        if old.is_relation and new.is_relation and was != now:
            yield f"points {column} at {now} instead of {was}"
        return  # otherwise the type is that of another model's key
    was, now = (STORED_AS.get(f.get_internal_type(), f.get_internal_type()) for f in (old, new))
    if was != now and now not in WIDER.get(was, ()):
        yield f"changes the type of {column} from {type(old).__name__} to {type(new).__name__}"
    elif now == "CharField" and length(new) < length(old):
        yield f"shortens {column} from {length(old)} to {length(new)}"
    elif now == "DecimalField" and any(map(lt, digits(new), digits(old))):
        yield (
            f"narrows {column} from ({old.max_digits}, {old.decimal_places}) "
            f"to ({new.max_digits}, {new.decimal_places})"
        )


STORED_AS = {
    "AutoField": "IntegerField",
    "BigAutoField": "BigIntegerField",
    "SmallAutoField": "SmallIntegerField",
    "FileField": "CharField",
    "FilePathField": "CharField",
    "SlugField": "CharField",
}
WIDER = {
    "CharField": ("TextField",),
    "SmallIntegerField": ("IntegerField", "BigIntegerField"),
    "IntegerField": ("BigIntegerField",),
    "PositiveSmallIntegerField": (
        "PositiveIntegerField",
        "PositiveBigIntegerField",
        "SmallIntegerField",
        "IntegerField",
        "BigIntegerField",
    ),
    "PositiveIntegerField": ("PositiveBigIntegerField", "IntegerField", "BigIntegerField"),
    "PositiveBigIntegerField": ("BigIntegerField",),
}


def adds_constraint(operation, table):
    yield f"adds the constraint {operation.constraint.name} to {table.label}"


def adds_unique_together(operation, table):
    before = set(table.options.get("unique_together") or ())
    for fields in sorted(set(operation.unique_together or ()) - before):
        yield f"makes {', '.join(fields)} of {table.label} unique together"


def orders_by(operation, table):
    before, after = table.options.get("order_with_respect_to"), operation.order_with_respect_to
    if after and not before:
        yield f"adds the column {table.label}._order, NOT NULL without a database default"
    if before and not after:
        yield f"removes the column {table.label}._order"


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

    generated = getattr(field, "generated", False) or isinstance(field, models.AutoField)
    return not (field.null or generated or has_default(field))


def has_default(field):
    """Tell whether the database itself knows a value (Django 5.0 and newer can say so)."""
    from django.db import models

    return getattr(field, "db_default", models.NOT_PROVIDED) is not models.NOT_PROVIDED


def length(field):
    return float("inf") if field.max_length is None else field.max_length


def digits(field):
    """Return how many digits fit before the point and after it."""
    places = field.decimal_places or 0
    return (field.max_digits or float("inf")) - places, places


# ---------------------------------------------------------------- models without migrations


def check_models(loader, state, options):
    """Refuse model changes of the project's own apps that no migration holds; warn of others'."""
    own, refused = own_apps(options.project_apps), []
    for app, operations in sorted(model_changes(loader, state).items()):
        what = ", ".join(map(describe, operations[:5]))
        what += f" and {len(operations) - 5} more" if operations[5:] else ""
        if app in own:
            refused.append(f"{app} ({what})")
        else:
            warn(f"models of the installed app {app} differ from its migrations: {what}")
    if refused:
        raise Refusal(
            f"models have changes that no migration holds: {', '.join(refused)}; "
            "run manage.py makemigrations (or bake with --no-model-check)"
        )


def own_apps(given):
    """Return the labels of the project's own apps: those given, or found in its folder."""
    from django.apps import apps

    configs = list(apps.get_app_configs())
    if given is None:
        here = Path.cwd().resolve()
        return {config.label for config in configs if is_own(Path(config.path).resolve(), here)}
    chosen = {label.strip() for label in given.split(",") if label.strip()}
    for label in sorted(chosen - {config.label for config in configs}):
        raise WrongUsage(f"--project-apps names {label}, which is no installed app")
    return chosen


def is_own(path, here):
    """Tell whether a folder lies in the project's, and in no virtual environment there."""
    if here != path and here not in path.parents:
        return False
    below = [folder for folder in (path, *path.parents) if here in folder.parents]
    return not is_package(path.relative_to(here)) and not any(
        (folder / "pyvenv.cfg").is_file() for folder in below
    )


def model_changes(loader, state):
    """Return the operations by app that `makemigrations` would write."""
    from django.apps import apps
    from django.core.management import get_commands, load_command_class
    from django.db.migrations.autodetector import MigrationAutodetector
    from django.db.migrations.questioner import MigrationQuestioner
    from django.db.migrations.state import ProjectState

    try:
        command = get_commands()["makemigrations"]
        if isinstance(command, str):
            command = load_command_class(command, "makemigrations")
        detector = getattr(command, "autodetector", MigrationAutodetector)  # Django 5.2
        # The plain questioner has an answer to everything; the others exit, or ask.
        questioner = MigrationQuestioner(specified_apps=set(), dry_run=True)
        found = detector(state, ProjectState.from_apps(apps), questioner)
        changes = found.changes(graph=loader.graph)
    except (Exception, SystemExit) as error:
        raise Refusal(
            f"models and migrations cannot be compared: {explain(error)}; "
            "--no-model-check leaves that out"
        ) from error
    return {
        app: [operation for migration in migrations for operation in migration.operations]
        for app, migrations in changes.items()
    }


# ---------------------------------------------------------------- the manifest


def bake(options):
    """Return the manifest's text. Raises Refusal."""
    from django.utils import translation

    # As makemigrations and migrate do: a translated verbose_name is no change of a model.
    with translation.override(None):
        loader = load()
        state, judged = judge_graph(loader)
        if not options.no_model_check:
            check_models(loader, state, options)
        judge_originals(loader, judged)
        for pattern in sorted(set(options.optional)):
            if not any(fnmatchcase(name(key), pattern) for key in loader.disk_migrations):
                warn(f"--optional {pattern} matches no migration")
        return manifest(loader, judged, options.release, options.optional)


def manifest(loader, judged, release=None, optional=()):
    """Return the manifest's text for a loader that has built its graph."""
    import django
    from django.apps import apps
    from django.conf import settings
    from django.db import connections

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
        "databases": {a: d["ENGINE"] for a, d in sorted(connections.settings.items())},
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
        "optional": sorted(set(optional)),
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
    if not all(map(is_reversible, migration.operations)):
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

"""Small migrations, each with what the manifest holds of it.

Every case is an app of its own with the same beginning (`BASE`); its operations are the
second migration. `THING` stands for its table in what is expected.
"""

from dataclasses import dataclass

BASE = """
migrations.CreateModel("Shop", [("id", models.BigAutoField(primary_key=True))]),
migrations.CreateModel("Maker", [("id", models.BigAutoField(primary_key=True))]),
migrations.CreateModel(
    "Thing",
    [
        ("id", models.AutoField(primary_key=True)),
        ("name", models.CharField(max_length=50)),
        ("note", models.TextField(null=True)),
        ("count", models.IntegerField(default=0)),
        ("price", models.DecimalField(max_digits=10, decimal_places=2)),
        ("code", models.CharField(max_length=9, db_column="old_code")),
        ("shop", models.ForeignKey("APP.shop", models.CASCADE)),
        ("makers", models.ManyToManyField("APP.maker")),
        ("chosen", models.ManyToManyField("APP.maker", through="APP.choice", related_name="+")),
    ],
    options={
        "unique_together": {("name", "shop")},
        "indexes": [models.Index(fields=["name"], name="APP_name")],
        "constraints": [models.UniqueConstraint(fields=["code"], name="APP_code")],
    },
),
migrations.CreateModel("Choice", [
    ("id", models.BigAutoField(primary_key=True)),
    ("thing", models.ForeignKey("APP.thing", models.CASCADE)),
    ("maker", models.ForeignKey("APP.maker", models.CASCADE)),
]),
migrations.CreateModel(
    "Placed", [("id", models.BigAutoField(primary_key=True))], options={"db_table": "placed"}
),
migrations.CreateModel(
    "Foreign",
    [("id", models.BigAutoField(primary_key=True)), ("name", models.TextField())],
    options={"managed": False},
),
migrations.CreateModel("Shadow", [], options={"proxy": True}, bases=("APP.thing",)),
migrations.CreateModel(
    "Swapped",
    [("id", models.BigAutoField(primary_key=True)), ("name", models.TextField())],
    options={"swappable": "OTHER_MODEL"},
),
migrations.CreateModel(
    "Page",
    [
        ("id", models.BigAutoField(primary_key=True)),
        ("shop", models.ForeignKey("APP.shop", models.CASCADE)),
    ],
    options={"order_with_respect_to": "shop"},
),
"""

BEFORE = """
import django
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db.migrations.operations.base import Operation

CHECK = {"condition" if django.VERSION >= (5, 1) else "check": models.Q(count__gte=0)}

def fill(apps, schema_editor):
    pass

class Grant(Operation):
    reversible = False
    def state_forwards(self, app_label, state): pass
    def database_forwards(self, app_label, schema_editor, from_state, to_state): pass

class RemoveFieldLater(migrations.RemoveField):
    def database_forwards(self, app_label, schema_editor, from_state, to_state): pass

class RemoveFieldLoudly(migrations.RemoveField):
    def describe(self): return "!"

class RunPythonTwice(migrations.RunPython):
    def database_forwards(self, *args): pass
"""


@dataclass(frozen=True, slots=True)
class Case:
    """Operations, and what the manifest must hold of the migration that they make."""

    name: str
    operations: str
    breaks: tuple[str, ...] = ()
    described: str | None = None
    reversible: bool = True
    touches_data: bool = False
    atomic: bool = True
    since: str = "4.2"
    setup: str = ""
    """What the first migration does besides `BASE`."""

    def text(self, template: str) -> str:
        """Fill the app's label in."""
        return template.replace("APP", self.name)


def case(name: str, operations: str, *breaks: str, **facts: object) -> Case:
    """Return a case; `THING` in what breaks is the app's table `thing`."""
    expected = tuple(what.replace("THING", f"{name}.thing").replace("APP", name) for what in breaks)
    return Case(name, operations, expected, **facts)  # type: ignore[arg-type]


def add(field: str) -> str:
    return f"migrations.AddField('thing', 'size', models.{field})"


def alter(name: str, field: str) -> str:
    return f"migrations.AlterField('thing', '{name}', models.{field})"


NOT_NULL = "adds the column THING.size, NOT NULL without a database default"
FRESH = """
migrations.AddField("thing", "size", models.IntegerField(null=True)),
migrations.RenameField("thing", "size", "width"),
migrations.AlterField("thing", "width", models.TextField(null=True, unique=True)),
migrations.RemoveField("thing", "width"),
"""
CREATED = """
migrations.CreateModel("Box", [
    ("id", models.BigAutoField(primary_key=True)), ("name", models.TextField()),
]),
migrations.AddField("box", "size", models.IntegerField(default=0)),
migrations.AlterUniqueTogether("box", {("name", "size")}),
migrations.RenameModel("Box", "Crate"),
migrations.RemoveField("crate", "name"),
migrations.AlterModelTable("crate", "crates"),
"""
IN_DATABASE = "migrations.SeparateDatabaseAndState(database_operations=[{}])"

# fmt: off
CASES = (
    # AddField
    case("add_nullable", add("IntegerField(null=True)"), described="AddField thing.size"),
    case("add_not_null", add("IntegerField(default=0)"), NOT_NULL),
    case("add_one_off", add("IntegerField(default=0), preserve_default=False"), NOT_NULL),
    case("add_db_default", add("IntegerField(db_default=0)"), since="5.0"),
    case("add_many", add("ManyToManyField('APP.shop', related_name='+')")),
    case(
        "add_generated",
        add("GeneratedField(expression=models.F('count') + 1, "
            "output_field=models.IntegerField(), db_persist=True)"),
        since="5.0",
    ),
    case(
        "add_foreign_key",
        add("ForeignKey('APP.shop', models.CASCADE, default=1, related_name='+')"),
        "adds the column THING.size_id, NOT NULL without a database default",
    ),
    case("add_then_demand", add("IntegerField(null=True)") + ","
         + alter("size", "IntegerField()"), NOT_NULL),
    case("add_and_undo", FRESH, described="AddField thing.size"),
    # AlterField
    case("forbid_null", alter("note", "TextField(default='')"), "forbids NULL in THING.note"),
    case(
        "forbid_null_db_default",  # running code writes its NULLs out
        alter("note", "TextField(db_default='')"),
        "forbids NULL in THING.note",
        since="5.0",
    ),
    case("allow_null", alter("count", "IntegerField(null=True)")),
    case(
        "retype",
        alter("count", "CharField(max_length=9)"),
        "changes the type of THING.count from IntegerField to CharField",
    ),
    case(
        "retype_narrower",
        alter("note", "CharField(max_length=9, null=True)"),
        "changes the type of THING.note from TextField to CharField",
    ),
    case("retype_wider", alter("count", "BigIntegerField(default=0)")),
    case("retype_wider_key", alter("id", "BigAutoField(primary_key=True)")),
    case("retype_to_text", alter("name", "TextField()")),
    case("retype_alike", alter("name", "EmailField(max_length=50)")),
    case("shorten", alter("name", "CharField(max_length=9)"), "shortens THING.name from 50 to 9"),
    case("shorten_slug", alter("code", "SlugField(max_length=5, db_column='old_code')"),
         "shortens THING.old_code from 9 to 5"),
    case("lengthen", alter("name", "CharField(max_length=99)")),
    case(
        "narrow",
        alter("price", "DecimalField(max_digits=10, decimal_places=4)"),
        "narrows THING.price from (10, 2) to (10, 4)",
    ),
    case("help_text", alter("name", "CharField(max_length=50, help_text='!', default='x')")),
    case("unique", alter("name", "CharField(max_length=50, unique=True)"),
         "makes THING.name unique"),
    case("one_to_one", alter("shop", "OneToOneField('APP.shop', models.CASCADE)"),
         "makes THING.shop_id unique"),
    case("repoint", alter("shop", "ForeignKey('APP.maker', models.CASCADE)"),
         "points THING.shop_id at APP.maker instead of APP.shop"),
    case("rename_column", alter("name", "CharField(max_length=50, db_column='title')"),
         "renames the column THING.name"),
    case("keep_column", alter("name", "CharField(max_length=50, db_column='name')")),
    case("keep_key_column",
         alter("shop", "ForeignKey('APP.shop', models.CASCADE, db_column='shop_id')")),
    case("rename_link", alter("makers", "ManyToManyField('APP.maker', db_table='links')"),
         "renames the table of THING.makers (many to many)"),
    case("alter_link", alter("makers", "ManyToManyField('APP.maker', blank=True)")),
    case(
        "drop_db_default",
        alter("size", "IntegerField(default=0)"),
        "removes the database default of THING.size, which is NOT NULL",
        setup=add("IntegerField(db_default=0)"),
        since="5.0",
    ),
    case(
        "drop_db_default_nullable",
        alter("size", "IntegerField(null=True)"),
        setup=add("IntegerField(null=True, db_default=0)"),
        since="5.0",
    ),
    # RemoveField, RenameField
    case("remove", "migrations.RemoveField('thing', 'name')", "removes the column THING.name"),
    case("remove_key", "migrations.RemoveField('thing', 'shop')",
         "removes the column THING.shop_id"),
    case("remove_placed", "migrations.RemoveField('thing', 'code')",
         "removes the column THING.old_code"),
    case("remove_many", "migrations.RemoveField('thing', 'makers')",
         "removes the table of THING.makers (many to many)"),
    case("remove_through", "migrations.RemoveField('thing', 'chosen')"),
    case("rename", "migrations.RenameField('thing', 'name', 'title')",
         "renames the column THING.name", described="RenameField thing.name -> title"),
    case("rename_key", "migrations.RenameField('thing', 'shop', 'store')",
         "renames the column THING.shop_id"),
    case("rename_placed", "migrations.RenameField('thing', 'code', 'isbn')"),
    case("rename_many", "migrations.RenameField('thing', 'makers', 'authors')",
         "renames the table of THING.makers (many to many)"),
    case("rename_through", "migrations.RenameField('thing', 'chosen', 'elected')"),
    # Models
    case("rename_model", "migrations.RenameModel('Thing', 'Item')", "renames the table of THING",
         described="RenameModel Thing -> Item"),
    case("rename_placed_model", "migrations.RenameModel('Placed', 'Put')"),
    case("rename_case", "migrations.RenameModel('Thing', 'THING')"),
    case("move_table", "migrations.AlterModelTable('thing', 'things')",
         "renames the table of THING"),
    case("move_nowhere", "migrations.AlterModelTable('thing', 'move_nowhere_thing')"),
    case("move_to_default", "migrations.AlterModelTable('thing', None)"),
    case("move_back", "migrations.AlterModelTable('placed', None)",
         "renames the table of APP.placed"),
    case("delete", "migrations.DeleteModel('Placed')", "removes the table of APP.placed",
         described="DeleteModel Placed"),
    case("create", CREATED, described="CreateModel Box"),
    case("proxy", "migrations.DeleteModel('Shadow')"),
    case("unmanaged", "migrations.RemoveField('foreign', 'name'), "
         "migrations.DeleteModel('Foreign')"),
    case("swapped_out", "migrations.RemoveField('swapped', 'name')"),
    case("options", "migrations.AlterModelOptions('thing', {'ordering': ['name']})"),
    # Indexes, constraints
    case("add_index",
         "migrations.AddIndex('thing', models.Index(fields=['count'], name='APP_count'))",
         described="AddIndex thing.add_index_count"),
    case("remove_index", "migrations.RemoveIndex('thing', 'APP_name')",
         described="RemoveIndex thing.remove_index_name"),
    case("rename_index", "migrations.RenameIndex('thing', old_name='APP_name', new_name='x')",
         described="RenameIndex thing.rename_index_name -> x"),
    case("add_check",
         "migrations.AddConstraint('thing', models.CheckConstraint(name='APP_some', **CHECK))",
         "adds the constraint APP_some to THING"),
    case("add_unique",
         "migrations.AddConstraint('thing', "
         "models.UniqueConstraint(fields=['name'], name='APP_some'))",
         "adds the constraint APP_some to THING"),
    case("remove_constraint", "migrations.RemoveConstraint('thing', 'APP_code')"),
    case("together",
         "migrations.AlterUniqueTogether('thing', {('name', 'shop'), ('count', 'code')})",
         "makes count, code of THING unique together"),
    case("no_longer_together", "migrations.AlterUniqueTogether('thing', None)"),
    case("order", "migrations.AlterOrderWithRespectTo('thing', 'shop')",
         "adds the column THING._order, NOT NULL without a database default"),
    case("order_no_more", "migrations.AlterOrderWithRespectTo('page', None)",
         "removes the column APP.page._order"),
    case("concurrently",
         "AddIndexConcurrently('thing', models.Index(fields=['count'], name='APP_count'))",
         described="AddIndexConcurrently thing.concurrently_count", atomic=False),
    # What cannot be known
    case("python", "migrations.RunPython(fill)",
         described="RunPython fill", reversible=False, touches_data=True),
    case("python_both", "migrations.RunPython(fill, migrations.RunPython.noop)",
         touches_data=True),
    case("python_noop", "migrations.RunPython(migrations.RunPython.noop, fill)"),
    case("python_custom", "RunPythonTwice(fill, fill)",
         described="RunPythonTwice fill", touches_data=True),
    case("sql", "migrations.RunSQL('DROP TABLE sql_thing')",
         described="RunSQL", reversible=False, touches_data=True),
    case("sql_both", "migrations.RunSQL('SELECT 1', migrations.RunSQL.noop)", touches_data=True),
    case("sql_state", "migrations.RunSQL('SELECT 1', 'SELECT 1', "
         "state_operations=[migrations.RemoveField('thing', 'name')])",
         touches_data=True),
    case("custom", "Grant()", described="Grant", reversible=False),
    case("custom_remove", "RemoveFieldLater('thing', 'name')",
         described="RemoveFieldLater thing.name"),
    case("custom_remove_plain", "RemoveFieldLoudly('thing', 'name')",
         "removes the column THING.name"),
    # Two sides
    case("database_side", IN_DATABASE.format("migrations.RemoveField('thing', 'name')"),
         "removes the column THING.name",
         described="SeparateDatabaseAndState(RemoveField thing.name)"),
    case("database_side_in_order",
         IN_DATABASE.format(
             "migrations.RenameModel('Thing', 'Item'), migrations.RemoveField('item', 'name')"),
         "renames the table of THING", "removes the column APP.item.name"),
    case("state_side",
         "migrations.SeparateDatabaseAndState("
         "state_operations=[migrations.DeleteModel('Placed')])",
         described="SeparateDatabaseAndState(state only)"),
    case("sql_inside", IN_DATABASE.format("migrations.RunSQL('SELECT 1')"),
         described="SeparateDatabaseAndState(RunSQL)",
         reversible=False, touches_data=True),
)
# fmt: on

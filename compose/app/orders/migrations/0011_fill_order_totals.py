"""Data: add every order up, in EXAMPLE_SLOW_SECONDS as if there were millions."""

import os
import time

from django.db import migrations
from django.db.models import F, OuterRef, Subquery, Sum
from django.db.models.functions import Coalesce


def fill_totals(apps, schema_editor):
    lines = apps.get_model("orders", "OrderLine").objects.filter(order=OuterRef("pk"))
    total = lines.values("order").values(total=Sum(F("quantity") * F("unit_price")))
    apps.get_model("orders", "Order").objects.update(total=Coalesce(Subquery(total), F("total")))


def wait(apps, schema_editor):
    seconds = float(os.environ.get("EXAMPLE_SLOW_SECONDS") or 0)
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("SELECT pg_sleep(%s)", [seconds])
    else:
        time.sleep(seconds)


class Migration(migrations.Migration):
    dependencies = [("orders", "0010_order_total")]
    operations = [
        migrations.RunPython(fill_totals, migrations.RunPython.noop),
        migrations.RunPython(wait, migrations.RunPython.noop),
    ]

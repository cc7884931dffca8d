"""Prices, in SLOW_SECONDS a tenant."""

import os

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.RunSQL(
            f"SELECT pg_sleep({float(os.environ.get('SLOW_SECONDS') or 0)})",
            migrations.RunSQL.noop,
        ),
        migrations.AddField("Product", "price", models.IntegerField(default=0)),
    ]

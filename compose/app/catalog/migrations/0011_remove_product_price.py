"""Prices are the variants' now; `orders.0004` has to copy them before this."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("catalog", "0010_move_prices_to_variants")]
    operations = [
        migrations.RemoveField("product", "price"),
    ]

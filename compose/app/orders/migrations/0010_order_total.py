"""Orders know their total: the column, still zero."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orders", "0009_shipment")]
    operations = [
        migrations.AddField(
            "order",
            "total",
            models.DecimalField(max_digits=12, decimal_places=2, default=0),
        ),
    ]

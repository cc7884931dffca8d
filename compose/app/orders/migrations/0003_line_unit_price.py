"""Lines keep the price of their day: the column, still empty."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orders", "0002_order_user")]
    operations = [
        migrations.AddField(
            "orderline",
            "unit_price",
            models.DecimalField(max_digits=10, decimal_places=2, null=True),
        ),
    ]

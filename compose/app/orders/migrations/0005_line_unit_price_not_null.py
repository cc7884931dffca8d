"""Every line has a price."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orders", "0004_fill_line_unit_prices")]
    operations = [
        migrations.AlterField(
            "orderline",
            "unit_price",
            models.DecimalField(max_digits=10, decimal_places=2),
        ),
    ]

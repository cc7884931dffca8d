"""Old orders leave the lists."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orders", "0011_fill_order_totals")]
    operations = [
        migrations.AddField("order", "archived", models.BooleanField(default=False)),
    ]

"""Parcels go to the users' addresses."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0008_order_status_created_index"),
        ("accounts", "0002_address"),
    ]
    operations = [
        migrations.CreateModel(
            name="Shipment",
            fields=[
                (
                    "id",
                    models.BigAutoField("ID", auto_created=True, primary_key=True, serialize=False),
                ),
                (
                    "order",
                    models.ForeignKey("orders.order", models.CASCADE, related_name="shipments"),
                ),
                (
                    "address",
                    models.ForeignKey("accounts.address", models.PROTECT, related_name="shipments"),
                ),
                ("tracking_code", models.CharField(max_length=64, blank=True)),
                ("shipped_at", models.DateTimeField(null=True)),
            ],
        ),
    ]

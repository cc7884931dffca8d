"""Coupons."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orders", "0006_link_orders_to_users")]
    operations = [
        migrations.CreateModel(
            name="Coupon",
            fields=[
                (
                    "id",
                    models.BigAutoField("ID", auto_created=True, primary_key=True, serialize=False),
                ),
                ("code", models.CharField(max_length=32, unique=True)),
                ("percent_off", models.PositiveSmallIntegerField()),
            ],
        ),
        migrations.AddField(
            "order",
            "coupon",
            models.ForeignKey("orders.coupon", models.SET_NULL, null=True, related_name="orders"),
        ),
    ]

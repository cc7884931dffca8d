"""Reviews, tied to the order they came from."""

from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0011_remove_product_price"),
        ("orders", "0002_order_user"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]
    operations = [
        migrations.CreateModel(
            name="Review",
            fields=[
                (
                    "id",
                    models.BigAutoField("ID", auto_created=True, primary_key=True, serialize=False),
                ),
                (
                    "product",
                    models.ForeignKey("catalog.product", models.CASCADE, related_name="reviews"),
                ),
                (
                    "user",
                    models.ForeignKey(
                        settings.AUTH_USER_MODEL, models.CASCADE, related_name="reviews"
                    ),
                ),
                (
                    "order",
                    models.ForeignKey(
                        "orders.order",
                        models.SET_NULL,
                        null=True,
                        related_name="reviews",
                    ),
                ),
                ("stars", models.PositiveSmallIntegerField()),
                ("text", models.TextField(blank=True)),
            ],
        ),
    ]

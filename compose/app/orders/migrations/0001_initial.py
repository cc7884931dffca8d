"""Guests order products."""

from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    dependencies = [("catalog", "0003_product_description")]
    operations = [
        migrations.CreateModel(
            name="Order",
            fields=[
                (
                    "id",
                    models.BigAutoField("ID", auto_created=True, primary_key=True, serialize=False),
                ),
                ("customer_email", models.EmailField(max_length=254)),
                (
                    "status",
                    models.CharField(
                        max_length=16,
                        choices=[
                            ("open", "Open"),
                            ("paid", "Paid"),
                            ("shipped", "Shipped"),
                        ],
                        default="open",
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
        ),
        migrations.CreateModel(
            name="OrderLine",
            fields=[
                (
                    "id",
                    models.BigAutoField("ID", auto_created=True, primary_key=True, serialize=False),
                ),
                (
                    "order",
                    models.ForeignKey("orders.order", models.CASCADE, related_name="lines"),
                ),
                (
                    "product",
                    models.ForeignKey(
                        "catalog.product", models.PROTECT, related_name="order_lines"
                    ),
                ),
                ("quantity", models.PositiveIntegerField()),
            ],
        ),
    ]

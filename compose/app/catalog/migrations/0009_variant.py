"""Sizes and colours, each with its own price."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("catalog", "0008_product_slug_unique")]
    operations = [
        migrations.CreateModel(
            name="Variant",
            fields=[
                (
                    "id",
                    models.BigAutoField("ID", auto_created=True, primary_key=True, serialize=False),
                ),
                (
                    "product",
                    models.ForeignKey("catalog.product", models.CASCADE, related_name="variants"),
                ),
                ("name", models.CharField(max_length=100)),
                ("price", models.DecimalField(max_digits=10, decimal_places=2)),
            ],
        ),
    ]

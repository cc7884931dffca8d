"""The first year in one step, for new databases."""

from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    replaces = [
        ("catalog", "0001_initial"),
        ("catalog", "0002_category_parent"),
        ("catalog", "0003_product_description"),
        ("catalog", "0004_product_sku_unique"),
        ("catalog", "0005_product_name_index"),
    ]
    dependencies = []
    operations = [
        migrations.CreateModel(
            name="Category",
            fields=[
                (
                    "id",
                    models.BigAutoField("ID", auto_created=True, primary_key=True, serialize=False),
                ),
                ("name", models.CharField(max_length=100)),
                (
                    "parent",
                    models.ForeignKey(
                        "catalog.category",
                        models.CASCADE,
                        null=True,
                        blank=True,
                        related_name="children",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Product",
            fields=[
                (
                    "id",
                    models.BigAutoField("ID", auto_created=True, primary_key=True, serialize=False),
                ),
                (
                    "category",
                    models.ForeignKey("catalog.category", models.PROTECT, related_name="products"),
                ),
                ("name", models.CharField(max_length=200)),
                ("sku", models.CharField(max_length=32, unique=True)),
                ("description", models.TextField(blank=True)),
                (
                    "price",
                    models.DecimalField(max_digits=10, decimal_places=2, default=0),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["name"], name="product_name_idx")],
            },
        ),
    ]

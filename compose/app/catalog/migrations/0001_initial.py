"""Products on shelves."""

from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
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
                ("sku", models.CharField(max_length=32)),
                (
                    "price",
                    models.DecimalField(max_digits=10, decimal_places=2, default=0),
                ),
            ],
        ),
    ]

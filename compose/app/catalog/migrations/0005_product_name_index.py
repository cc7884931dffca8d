"""The search box finds products by name."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("catalog", "0004_product_sku_unique")]
    operations = [
        migrations.AddIndex("product", models.Index(fields=["name"], name="product_name_idx")),
    ]

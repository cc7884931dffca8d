"""Two products got the same SKU once; never again."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("catalog", "0003_product_description")]
    operations = [
        migrations.AlterField("product", "sku", models.CharField(max_length=32, unique=True)),
    ]

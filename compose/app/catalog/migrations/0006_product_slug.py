"""Readable addresses: the column, still empty."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("catalog", "0005_product_name_index")]
    operations = [
        migrations.AddField("product", "slug", models.SlugField(max_length=220, null=True)),
    ]

"""Every product has a slug and no two the same."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("catalog", "0007_fill_product_slugs")]
    operations = [
        migrations.AlterField("product", "slug", models.SlugField(max_length=220, unique=True)),
    ]

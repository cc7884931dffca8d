"""Data: a slug for every product, made unique by its primary key."""

from django.db import migrations
from django.utils.text import slugify


def fill_slugs(apps, schema_editor):
    for product in apps.get_model("catalog", "Product").objects.iterator():
        product.slug = f"{slugify(product.name)[:200]}-{product.pk}"
        product.save(update_fields=["slug"])


def empty_slugs(apps, schema_editor):
    apps.get_model("catalog", "Product").objects.update(slug=None)


class Migration(migrations.Migration):
    dependencies = [("catalog", "0006_product_slug")]
    operations = [
        migrations.RunPython(fill_slugs, empty_slugs),
    ]

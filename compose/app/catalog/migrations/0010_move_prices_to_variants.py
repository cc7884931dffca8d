"""Data: every product gets a variant that carries its price; and back."""

from django.db import migrations
from django.db.models import OuterRef, Subquery

STANDARD = "Standard"


def to_variants(apps, schema_editor):
    Product = apps.get_model("catalog", "Product")
    Variant = apps.get_model("catalog", "Variant")
    Variant.objects.bulk_create(
        Variant(product=product, name=STANDARD, price=product.price)
        for product in Product.objects.iterator()
    )


def to_products(apps, schema_editor):
    Product = apps.get_model("catalog", "Product")
    standard = apps.get_model("catalog", "Variant").objects.filter(name=STANDARD)
    price = standard.filter(product=OuterRef("pk")).values("price")[:1]
    Product.objects.filter(pk__in=standard.values("product")).update(price=Subquery(price))
    standard.delete()


class Migration(migrations.Migration):
    dependencies = [("catalog", "0009_variant")]
    operations = [
        migrations.RunPython(to_variants, to_products),
    ]

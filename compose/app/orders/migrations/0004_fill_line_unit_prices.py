"""Data: copy the products' prices into the lines while products still have one."""

from django.db import migrations
from django.db.models import OuterRef, Subquery


def copy_prices(apps, schema_editor):
    Product = apps.get_model("catalog", "Product")
    price = Product.objects.filter(pk=OuterRef("product")).values("price")
    apps.get_model("orders", "OrderLine").objects.update(unit_price=Subquery(price))


class Migration(migrations.Migration):
    # Without this the whole of catalog comes first, and the price is gone.
    run_before = [("catalog", "0011_remove_product_price")]
    dependencies = [("orders", "0003_line_unit_price")]
    operations = [
        migrations.RunPython(copy_prices, migrations.RunPython.noop),
    ]

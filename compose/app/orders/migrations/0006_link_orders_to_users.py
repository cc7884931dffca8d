"""Data: give guests' orders to the users with the same e-mail address."""

from django.db import migrations
from django.db.models import OuterRef, Subquery
from django.db.models.functions import Lower


def link(apps, schema_editor):
    User = apps.get_model("accounts", "User")
    owner = User.objects.filter(email=Lower(OuterRef("customer_email")))
    apps.get_model("orders", "Order").objects.filter(user=None).update(
        user=Subquery(owner.order_by("pk").values("pk")[:1])
    )


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0005_line_unit_price_not_null"),
        ("accounts", "0006_lower_case_emails"),
    ]
    operations = [
        migrations.RunPython(link, migrations.RunPython.noop),
    ]

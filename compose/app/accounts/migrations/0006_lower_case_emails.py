"""Data: e-mail addresses in lower case, so that they can be compared."""

from django.db import migrations
from django.db.models.functions import Lower


def lower_case(apps, schema_editor):
    apps.get_model("accounts", "User").objects.update(email=Lower("email"))


class Migration(migrations.Migration):
    dependencies = [("accounts", "0005_user_phone_not_null")]
    operations = [
        migrations.RunPython(lower_case, migrations.RunPython.noop),
    ]

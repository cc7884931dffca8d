"""Carriers ask for a telephone number."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0002_address")]
    operations = [
        migrations.AddField(
            "user", "phone", models.CharField(max_length=32, null=True, blank=True)
        ),
    ]

"""The shop opens outside the United States."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("accounts", "0003_user_phone")]
    operations = [
        migrations.RenameField("address", "zip", "postcode"),
    ]

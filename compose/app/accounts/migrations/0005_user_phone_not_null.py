"""No phone is the empty string, no longer NULL."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0004_rename_address_zip_to_postcode")]
    operations = [
        migrations.AlterField(
            "user",
            "phone",
            models.CharField(max_length=32, blank=True, default=""),
            preserve_default=False,
        ),
    ]

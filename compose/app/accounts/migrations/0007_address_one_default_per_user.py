"""One address of a user may be the default."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0006_lower_case_emails")]
    operations = [
        migrations.AddField("address", "is_default", models.BooleanField(default=False)),
        migrations.AddConstraint(
            "address",
            models.UniqueConstraint(
                fields=["user"],
                condition=models.Q(is_default=True),
                name="one_default_address_per_user",
            ),
        ),
    ]

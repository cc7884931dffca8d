"""Nobody gets the newsletter who did not ask for it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0007_address_one_default_per_user")]
    operations = [
        migrations.AddField("user", "marketing_opt_in", models.BooleanField(default=False)),
    ]

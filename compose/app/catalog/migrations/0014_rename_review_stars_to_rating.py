"""The scale is not drawn as stars any more."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("catalog", "0013_one_review_per_product_and_user")]
    operations = [
        migrations.RenameField("review", "stars", "rating"),
    ]

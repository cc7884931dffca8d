"""Products have a text."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("catalog", "0002_category_parent")]
    operations = [
        migrations.AddField(
            "product",
            "description",
            models.TextField(blank=True, default=""),
            preserve_default=False,
        ),
    ]

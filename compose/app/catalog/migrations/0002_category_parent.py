"""Shelves nest."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("catalog", "0001_initial")]
    operations = [
        migrations.AddField(
            "category",
            "parent",
            models.ForeignKey(
                "catalog.category",
                models.CASCADE,
                null=True,
                blank=True,
                related_name="children",
            ),
        ),
    ]

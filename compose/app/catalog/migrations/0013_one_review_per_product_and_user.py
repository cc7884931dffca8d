"""No more five stars five times over."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("catalog", "0012_review")]
    operations = [
        migrations.AddConstraint(
            "review",
            models.UniqueConstraint(
                fields=["product", "user"], name="one_review_per_product_and_user"
            ),
        ),
    ]

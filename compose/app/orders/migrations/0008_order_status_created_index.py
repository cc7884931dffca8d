"""The warehouse lists orders by status, oldest first."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orders", "0007_coupon")]
    operations = [
        migrations.AddIndex(
            "order",
            models.Index(fields=["status", "created_at"], name="order_status_created_idx"),
        ),
    ]

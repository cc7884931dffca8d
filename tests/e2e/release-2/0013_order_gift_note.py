from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orders", "0012_order_archived")]

    operations = [
        migrations.AddField("order", "gift_note", models.TextField(default="", db_default="")),
    ]

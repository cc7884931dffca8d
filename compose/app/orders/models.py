"""What was bought, for how much, and where it went."""

from django.conf import settings
from django.db import models


class Coupon(models.Model):
    """A code that takes some percent off."""

    code = models.CharField(max_length=32, unique=True)
    percent_off = models.PositiveSmallIntegerField()


class Order(models.Model):
    """One checkout, by a user or by a guest."""

    class Status(models.TextChoices):
        OPEN = "open", "Open"
        PAID = "paid", "Paid"
        SHIPPED = "shipped", "Shipped"

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="orders"
    )
    customer_email = models.EmailField(max_length=254)
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.OPEN)
    coupon = models.ForeignKey(Coupon, models.SET_NULL, null=True, related_name="orders")
    total = models.DecimalField(max_digits=12, decimal_places=2, default=0)
    archived = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [
            models.Index(fields=["status", "created_at"], name="order_status_created_idx"),
        ]


class OrderLine(models.Model):
    """Some pieces of one product, at the price of that day."""

    order = models.ForeignKey(Order, models.CASCADE, related_name="lines")
    product = models.ForeignKey("catalog.Product", models.PROTECT, related_name="order_lines")
    quantity = models.PositiveIntegerField()
    unit_price = models.DecimalField(max_digits=10, decimal_places=2)


class Shipment(models.Model):
    """A parcel on its way to an address."""

    order = models.ForeignKey(Order, models.CASCADE, related_name="shipments")
    address = models.ForeignKey("accounts.Address", models.PROTECT, related_name="shipments")
    tracking_code = models.CharField(max_length=64, blank=True)
    shipped_at = models.DateTimeField(null=True)

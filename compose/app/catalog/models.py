"""What the shop sells, and what people think of it."""

from django.conf import settings
from django.db import models


class Category(models.Model):
    """A shelf; shelves nest."""

    name = models.CharField(max_length=100)
    parent = models.ForeignKey(
        "self", models.CASCADE, null=True, blank=True, related_name="children"
    )


class Product(models.Model):
    """A thing with a page of its own."""

    category = models.ForeignKey(Category, models.PROTECT, related_name="products")
    name = models.CharField(max_length=200)
    slug = models.SlugField(max_length=220, unique=True)
    sku = models.CharField(max_length=32, unique=True)
    description = models.TextField(blank=True)

    class Meta:
        indexes = [models.Index(fields=["name"], name="product_name_idx")]


class Variant(models.Model):
    """A size or colour of a product, with its price."""

    product = models.ForeignKey(Product, models.CASCADE, related_name="variants")
    name = models.CharField(max_length=100)
    price = models.DecimalField(max_digits=10, decimal_places=2)


class Review(models.Model):
    """One user's opinion of a product, tied to the order they bought it with."""

    product = models.ForeignKey(Product, models.CASCADE, related_name="reviews")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="reviews")
    order = models.ForeignKey("orders.Order", models.SET_NULL, null=True, related_name="reviews")
    rating = models.PositiveSmallIntegerField()
    text = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["product", "user"], name="one_review_per_product_and_user"
            ),
        ]

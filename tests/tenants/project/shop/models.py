"""What each tenant sells."""

from django.db import models


class Product(models.Model):
    """Something for sale."""

    name = models.CharField(max_length=100)
    price = models.IntegerField(default=0)

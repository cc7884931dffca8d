"""The tenants, and the domains at which they are served."""

from django.db import models
from django_tenants.models import DomainMixin, TenantMixin


class Client(TenantMixin):
    """A tenant, with a schema of its own that is made when it is saved."""

    name = models.CharField(max_length=100)


class Domain(DomainMixin):
    """Where a tenant is served."""

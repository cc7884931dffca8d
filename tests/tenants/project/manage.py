"""A small project of django-tenants: customers are shared, shops are each tenant's own."""

import os
import sys

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tenant_settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)

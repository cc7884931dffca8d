"""Does our comparison agree with Django's own executor? Asked of Django, on a real PostgreSQL."""

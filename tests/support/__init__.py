"""Real things for tests and the demo: a PostgreSQL server, a Django project, a sidecar."""

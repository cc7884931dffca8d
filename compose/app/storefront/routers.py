"""Where sessions are kept when SESSIONS_DATABASE_URL names a database for them."""

ALIAS = "sessions"


class Sessions:
    """Sends the sessions app to its database, and nothing else there.

    The router decides which tables are made. Which migrations are recorded it does not:
    `migrate --database sessions` records them all, there as in the default database.
    """

    def db_for_read(self, model, **hints):
        return ALIAS if model._meta.app_label == "sessions" else None

    def db_for_write(self, model, **hints):
        return self.db_for_read(model)

    def allow_migrate(self, db, app_label, **hints):
        return (db == ALIAS) is (app_label == "sessions")

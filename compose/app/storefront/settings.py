"""Settings of the example shop; what differs by place is in the environment."""

import os

from storefront import database

# Blank is allowed here, so that an image build can import the settings without a
# secret. Django raises ImproperlyConfigured as soon as something signs with it.
SECRET_KEY = os.environ.get("DJANGO_SECRET_KEY", "")

DEBUG = os.environ.get("DJANGO_DEBUG", "") == "1"

ALLOWED_HOSTS = os.environ.get("DJANGO_ALLOWED_HOSTS", ".localhost,127.0.0.1,[::1]").split(",")

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "accounts",
    "catalog",
    "orders",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]

ROOT_URLCONF = "storefront.urls"
WSGI_APPLICATION = "storefront.wsgi.application"

DATABASES = {"default": database.from_environment(os.environ)}
if sessions_url := os.environ.get("SESSIONS_DATABASE_URL"):
    # Sessions may live in a database of their own; see routers.py.
    DATABASES["sessions"] = database.from_url(sessions_url)
    DATABASE_ROUTERS = ["storefront.routers.Sessions"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "accounts.User"

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True

# Errors go to stderr, where a container's logs come from, with DEBUG off as well.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "loggers": {"django": {"handlers": ["console"], "level": "INFO"}},
}

"""The projects: what each needs to start, and nothing else.

Their pinned requirements are in `requirements/real/`, a file a project; `run.py --lock`
writes them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

SETTINGS = """\
import os

{settings}
SECRET_KEY = "nothing is secret here"
DATABASES = {{
    "default": {{
        "ENGINE": "django.db.backends.postgresql",
        "HOST": os.environ.get("REAL_HOST", "nowhere.invalid"),
        "PORT": os.environ.get("REAL_PORT", "1"),
        "NAME": os.environ.get("REAL_NAME", ""),
        "USER": os.environ.get("REAL_USER", ""),
        "PASSWORD": os.environ.get("REAL_PASSWORD", ""),
    }}
}}
CACHES = {{"default": {{"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
"""
CONTRIB = (
    *("django.contrib.admin", "django.contrib.auth", "django.contrib.contenttypes"),
    *("django.contrib.sessions", "django.contrib.sites", "django.contrib.messages"),
    *("django.contrib.staticfiles", "django.contrib.flatpages", "django.contrib.redirects"),
)
TEMPLATES = """\
STATIC_URL = "static/"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "sekizai.context_processors.sekizai",
                "cms.context_processors.cms_settings",
            ]
        },
    }
]"""


@dataclass(frozen=True, slots=True)
class Project:
    """One project: the Python it wants, and its settings module but for the database."""

    name: str
    python: str
    settings: str
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def module(self) -> str:
        """The text of its settings module."""
        return SETTINGS.format(settings=self.settings)


def apps(*names: str, more: str = "") -> str:
    """Return settings that install Django's own apps and these."""
    return f"INSTALLED_APPS = {[*CONTRIB, *names]!r}\n{TEMPLATES}\n{more}"


CONTRIB_ALONE = Project("contrib", "", apps())
"""Django's own apps, on the Django that is installed here: the one of `make test`."""

PROJECTS = (
    Project(
        "wagtail",
        "3.13",
        apps(
            *("wagtail.contrib.forms", "wagtail.contrib.frontend_cache", "wagtail.contrib.legacy"),
            *("wagtail.contrib.redirects", "wagtail.contrib.routable_page"),
            *("wagtail.contrib.search_promotions", "wagtail.contrib.settings"),
            *("wagtail.contrib.simple_translation", "wagtail.contrib.styleguide"),
            *("wagtail.contrib.table_block", "wagtail.contrib.typed_table_block"),
            *("wagtail.embeds", "wagtail.sites", "wagtail.users", "wagtail.snippets"),
            *("wagtail.documents", "wagtail.images", "wagtail.search", "wagtail.admin"),
            *("wagtail.locales", "wagtail", "modelcluster", "taggit", "django.contrib.postgres"),
            more="WAGTAIL_SITE_NAME = 'real'",
        ),
    ),
    Project("pretix", "3.11", "from pretix.settings import *"),
    Project("pretalx", "3.12", "from pretalx.settings import *"),
    Project(
        "oscar",
        "3.11",
        "from oscar import INSTALLED_APPS\nfrom oscar.defaults import *\n"
        "HAYSTACK_CONNECTIONS = {'default': "
        "{'ENGINE': 'haystack.backends.simple_backend.SimpleEngine'}}",
    ),
    Project(
        "django-cms",
        "3.13",
        apps(
            *("cms", "menus", "treebeard", "sekizai", "parler", "easy_thumbnails", "filer"),
            *("djangocms_text", "djangocms_link", "djangocms_file", "djangocms_picture"),
            *("djangocms_snippet", "djangocms_versioning", "djangocms_alias"),
            *("djangocms_frontend", "djangocms_frontend.contrib.accordion"),
            *("djangocms_frontend.contrib.alert", "djangocms_frontend.contrib.card"),
            *("djangocms_frontend.contrib.carousel", "djangocms_frontend.contrib.grid"),
            *("djangocms_frontend.contrib.image", "djangocms_frontend.contrib.link"),
            more="LANGUAGES = [('en', 'English')]\nLANGUAGE_CODE = 'en'\nSITE_ID = 1\n"
            "CMS_CONFIRM_VERSION4 = True",
        ),
    ),
    Project(
        "pile-of-apps",
        "3.13",
        apps(
            *("allauth", "allauth.account", "allauth.mfa", "allauth.socialaccount"),
            *("allauth.usersessions", "axes", "constance", "django_celery_beat"),
            *("django_celery_results", "django_otp", "django_otp.plugins.otp_email"),
            *("django_otp.plugins.otp_hotp", "django_otp.plugins.otp_static"),
            *("django_otp.plugins.otp_totp", "django_q", "easy_thumbnails", "guardian"),
            *("oauth2_provider", "rest_framework", "rest_framework.authtoken"),
            *("rest_framework_simplejwt.token_blacklist", "reversion", "simple_history"),
            *("social_django", "taggit", "two_factor", "two_factor.plugins.email"),
            *("two_factor.plugins.phonenumber", "waffle"),
            more="CONSTANCE_BACKEND = 'constance.backends.database.DatabaseBackend'\n"
            "MIDDLEWARE = ['allauth.account.middleware.AccountMiddleware']\n"
            "Q_CLUSTER = {'timeout': 60, 'retry': 120, 'orm': 'default'}",
        ),
    ),
)

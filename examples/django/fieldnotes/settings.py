"""Settings of the newsletter. Those that differ between machines are environment variables."""

from os import environ
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured
from django.core.management.utils import get_random_secret_key

BASE_DIR = Path(__file__).parent.parent
DATA = BASE_DIR / "data"
DATA.mkdir(exist_ok=True)

# What runs in the background ------------------------------------------------------------------

AUTOCRON = {
    "DATABASE": DATA / "autocron.db",
    "WORKERS": int(environ.get("NEWSLETTER_WORKERS", "2")),
}
TASKS = {  # for Django's own @task
    "default": {
        "BACKEND": "django_autocron.AutocronBackend",
        "OPTIONS": {"ttl": 24 * 3600},  # seconds for which a result can be looked at
    }
}

# The newsletter -------------------------------------------------------------------------------

SECONDS_PER_ADDRESS = float(environ.get("NEWSLETTER_SECONDS_PER_ADDRESS", "0.1"))
LARGEST_IMPORT = 10**6

DEFAULT_FROM_EMAIL = "Fieldnotes <hello@example.org>"
# Django 6.1 has MAILERS for what follows; older ones do not, and these names work until Django 2028.
if SMTP := environ.get("NEWSLETTER_SMTP", ""):  # such as localhost:25
    EMAIL_HOST, _, EMAIL_PORT = SMTP.partition(":")
    EMAIL_TIMEOUT = 30
else:
    EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    EMAIL_FILE_PATH = DATA / "outbox"

# Development and production -------------------------------------------------------------------


def key_of_this_folder():
    file = DATA / "secret-key"
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(get_random_secret_key())
    return file.read_text()


DEBUG = environ.get("NEWSLETTER_DEBUG", "1") == "1"
ALLOWED_HOSTS = environ.get("NEWSLETTER_HOSTS", "localhost,127.0.0.1").split(",")
SECRET_KEY = environ.get("NEWSLETTER_SECRET_KEY", "")
if not SECRET_KEY and not DEBUG:
    raise ImproperlyConfigured("Set NEWSLETTER_SECRET_KEY: only NEWSLETTER_DEBUG=1 makes one up.")
SECRET_KEY = SECRET_KEY or key_of_this_folder()

# Django ---------------------------------------------------------------------------------------

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_autocron",
    "newsletter",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "fieldnotes.urls"
WSGI_APPLICATION = "fieldnotes.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": DATA / "newsletter.db",
        # Web processes and workers write into it at the same time.
        "OPTIONS": {
            "init_command": "PRAGMA journal_mode = WAL",
            "transaction_mode": "IMMEDIATE",
        },
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR.parent / "shared/static"]  # of the newsletters of all frameworks
TIME_ZONE = "UTC"

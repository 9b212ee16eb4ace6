"""A site with an admin under a strict policy, as a project in a folder; what tests see of it, and do to it.

Pictures for the documentation are taken of it as well.
"""

from contextlib import closing, contextmanager
from dataclasses import dataclass

import httpx

from autocron.administration.database import opened
from autocron.testing.processes import DEADLINE, Project, free_port, is_listening, wait_until

POLICY = "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

MANAGE = """
import os
import sys

from django.core.management import execute_from_command_line

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site_settings")
execute_from_command_line(sys.argv)
"""

SETTINGS = """
from pathlib import Path

BASE_DIR = Path(__file__).parent
SECRET_KEY = "a secret of tests"
DEBUG = True
ALLOWED_HOSTS = ["127.0.0.1"]
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "django_autocron",
    "newsletter",
]
MIDDLEWARE = [
    "policy.strict_policy",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
ROOT_URLCONF = "urls"
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
            "string_if_invalid": "INVALID-IN-TEMPLATE",
        },
    },
]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "site.db"}}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
STATIC_URL = "static/"
USE_TZ = True
TIME_ZONE = "Europe/Berlin"
AUTOCRON = {"WORKERS": 2}
"""

POLICY_MODULE = f"""
def strict_policy(get_response):
    def answer(request):
        response = get_response(request)
        response["Content-Security-Policy"] = "{POLICY}"
        return response
    return answer
"""

URLS = """
from django.contrib import admin
from django.http import HttpResponse
from django.urls import path

from django_autocron.admin import JobAdmin
from django_autocron.models import Job

other = admin.AdminSite(name="other")
other.register(Job, JobAdmin)

urlpatterns = [
    path("admin/", admin.site.urls),
    path("other/", other.urls),
    path("favicon.ico", lambda request: HttpResponse(status=204)),  # browsers ask for it
]
"""

TASKS = """
import time
from pathlib import Path

import autocron

FOLDER = Path(__file__).parent.parent


class MailServerError(Exception):
    pass


def connect(host):
    raise MailServerError(f"{host} does not answer")


@autocron.delay
def send_issue(number, to):
    if not (FOLDER / "mail-server").exists():
        connect("mail.example.org")
    return {"issue": number, "to": to}


@autocron.delay
def echo(value):
    return value


@autocron.delay
def fail(text):
    raise ValueError(text)


@autocron.delay(queue="reports")
def count_readers(readers):
    for done in range(3000):
        autocron.progress(done, 3000, "readers")
        if autocron.current_job().cancel_requested:
            raise autocron.Cancel
        time.sleep(0.05)


@autocron.delay(queue="reports")
def never_look():
    for done in range(3000):
        autocron.progress(done, 3000, "readers")
        time.sleep(0.05)


@autocron.cron("0 6 * * mon-fri", timezone="Europe/Berlin")
def send_digest():
    return "sent"
"""

USERS = """
from django.contrib.auth.models import Permission, User

User.objects.create_superuser("root", password="secret")
for name, wanted in {
    "viewer": ["view_job"],
    "changer": ["view_job", "change_job", "view_schedule", "change_schedule"],
    "watcher": ["view_schedule", "view_worker"],
    "nobody": [],
}.items():
    user = User.objects.create_user(name, password="secret", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=wanted))
"""


@dataclass(frozen=True)
class AdminSite:
    """The site, while it is served."""

    project: Project
    port: int

    @property
    def url(self):
        """The address of the admin."""
        return f"http://127.0.0.1:{self.port}/admin/"

    @contextmanager
    def user(self, name):
        """A client that is logged in."""
        with httpx.Client(base_url=self.url, timeout=DEADLINE, follow_redirects=True) as client:
            client.get("login/")
            form = {"username": name, "password": "secret"}
            answer = post(client, "login/", form | {"next": "/admin/"})
            assert "Log out" in answer.text
            yield client

    @contextmanager
    def database(self):
        """Open what autocron keeps for the site."""
        with opened(self.project.folder / "autocron.db") as database:
            yield database

    def has_its_workers(self):
        """Whether they run, and have made the project's schedules known."""
        if len(self.project.autocron_processes("worker")) < 2:
            return False
        with self.database() as database:
            return bool(database.store.schedules())

    def put_in(self, *calls):
        """Have tasks of the newsletter called, each a line of Python; return the ids of the jobs."""
        lines = ["from newsletter.tasks import *", *(f"print('JOB', {call}.id)" for call in calls)]
        done = self.project.run("manage.py", "shell", "-c", "\n".join(lines))
        assert done.returncode == 0, done.stdout
        return [line.split()[1] for line in done.stdout.splitlines() if line.startswith("JOB ")]

    def ended(self, job_id):
        """Wait for the end of a job, and return it."""

        def look():
            with self.database() as database:
                job = database.store.get(job_id)
            return job if job.status.is_final else None

        return wait_until(look, or_show=lambda: self.project.output)


def post(client, path, form):
    """Send a form as a browser does, with its token; return the page that it leads to."""
    token = {"csrfmiddlewaretoken": client.cookies["csrftoken"]}
    return client.post(path, data={**token, **form})


def write_site(project, settings=""):
    """Write the files of the site; `settings` are lines that are added to its own."""
    project.write("manage.py", MANAGE)
    (project.folder / "site_settings.py").write_text(SETTINGS + settings)
    project.write("policy.py", POLICY_MODULE)
    project.write("urls.py", URLS)
    project.write("newsletter/__init__.py", "")
    project.write("newsletter/tasks.py", TASKS)


def manage(project, *arguments, **environ):
    """Run a command to its end, and return what it has put out."""
    done = project.run("manage.py", *arguments, **environ)
    assert done.returncode == 0, done.stdout
    return done.stdout


def serve(project):
    """Serve the site, and return it when it listens."""
    port = free_port()
    server = project.start("manage.py", "runserver", "--noreload", f"127.0.0.1:{port}")
    wait_until(lambda: is_listening(port) or not server.is_alive, or_show=lambda: server.output)
    assert server.is_alive, server.output
    return AdminSite(project, port)


@contextmanager
def served_site(folder, settings=""):
    """A site in a folder, with its users, while it is served; its workers have made its tasks known already."""
    with closing(Project(folder, {"DJANGO_SETTINGS_MODULE": "site_settings"})) as project:
        write_site(project, settings)
        manage(project, "migrate", "-v", "0")
        manage(project, "shell", "-c", USERS)
        site = serve(project)
        wait_until(site.has_its_workers, or_show=lambda: project.output)
        yield site

"""What the newsletter has in Django alone."""

from pathlib import Path

import pytest
from browser import open_browser, see, sign_up
from newsletters import DJANGO

MANAGE = "examples/django/manage.py"


@pytest.fixture
def newsletter():
    """The one in Django."""
    return DJANGO


def test_a_sign_up_that_is_rolled_back_sends_nothing(newsletter, project):
    """If the view fails after the call of the task, there is neither a reader nor a job."""
    views = project.folder / newsletter.folder / "newsletter/views.py"
    after_the_call = 'messages.success(request, "A mail'
    assert after_the_call in views.read_text()
    views.write_text(views.read_text().replace(after_the_call, "1 / 0\n    " + after_the_call))
    with open_browser(newsletter.serve(project)) as browser:
        see(browser, "/jobs", "DONE")
        assert sign_up(browser, "ann@example.org").status_code == 500
        assert "send mail" not in browser.get("/jobs").text
    assert addresses(project) == []


def addresses(project):
    """Return those of all readers, confirmed or not."""
    look = "from newsletter.models import Reader; print(*Reader.objects.values_list('address'))"
    done = project.run(MANAGE, "shell", "--verbosity", "0", "--command", look)
    return done.stdout.split()


@pytest.mark.parametrize("server", DJANGO.servers)
def test_readers_and_jobs_are_in_the_admin(browser, site):
    """Whoever has an account there can look after the readers."""
    created = site.project.run(
        *(MANAGE, "createsuperuser", "--no-input", "--username", "ann"),
        *("--email", "ann@example.org"),
        DJANGO_SUPERUSER_PASSWORD="secret",
    )
    assert created.returncode == 0, created.stdout
    sign_up(browser, "bob@example.org")
    token = browser.cookies["csrftoken"]
    login = {"username": "ann", "password": "secret", "csrfmiddlewaretoken": token}
    assert "Readers" in browser.post("/admin/login/?next=/admin/", data=login).text
    assert "bob@example.org" in browser.get("/admin/newsletter/reader/").text


def test_its_own_tests_pass(project):
    """They show how an app is tested that has tasks."""
    done = project.run(MANAGE, "test", "newsletter")
    assert done.returncode == 0, done.stdout
    assert project.autocron_processes() == []


def test_it_runs_as_it_comes_from_the_repository(newsletter, project):
    """For development no variable has to be set."""
    for name in newsletter.environ:
        del project.environ[name]
    with open_browser(newsletter.serve(project)) as browser:
        sign_up(browser, "ann@example.org")
        see(browser, "/outbox", "to ann@example.org")


def test_production_has_a_key_of_its_own(newsletter, project):
    """The one that is made up for development is no default there."""
    done = project.run(MANAGE, "check", NEWSLETTER_SECRET_KEY="")
    assert done.returncode == 1
    assert "Set NEWSLETTER_SECRET_KEY" in done.stdout
    assert not (project.folder / newsletter.data_folder / "secret-key").exists()


def test_the_example_can_be_read_at_once():
    """What belongs to Django has fewer than 150 lines, and the newsletter itself not many more."""
    app = Path(__file__).parent
    lines = {file.name: len(file.read_text().splitlines()) for file in app.glob("*/*.py")}
    assert lines.pop("settings.py") < 150
    assert lines.pop("tests.py") < 100
    assert sum(lines.values()) < 300

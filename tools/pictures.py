"""Takes the pictures of the admin that the documentation shows: of a site that is really run, and of real jobs.

    python tools/pictures.py

Needs what the tests of django-autocron do, Chromium among it. `--to`, `--dark` and `--width` are for looking at
how pages come out elsewhere.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "packages/django-autocron/tests"))

import admin_site  # type: ignore[import-not-found]  # noqa: E402  # a helper of tests, and no package

TASKS = '''
import time
from pathlib import Path

import autocron

SERVER = Path(__file__).parent.parent / "mail-server"


class MailServerError(Exception):
    """The server that takes our mail did not."""


def deliver(to, subject):
    if to.endswith("example.net"):
        raise MailServerError(f"450 4.2.1 {to}: the mailbox is busy")


@autocron.delay(queue="mail")
def send_issue(issue, to, *, subject):
    deliver(to, subject)
    return {"issue": issue, "delivered": True}


@autocron.delay
def welcome(address):
    deliver(address, "Welcome!")


@autocron.delay(queue="reports")
def count_readers(issue):
    for done in range(0, 48_000, 40):
        autocron.progress(done + 17_280, 48_000, "opened mails")
        time.sleep(0.5)


@autocron.cron("0 6 * * mon-fri", timezone="Europe/Berlin")
def send_digest():
    pass


@autocron.cron("30 2 1 * *", timezone="Europe/Berlin")
def archive_issues():
    pass


@autocron.every(minutes=10, start_now=True)
def collect_bounces():
    return 3


@autocron.cron("15 12 * * sun", timezone="America/New_York")
def count_subscribers():
    pass
'''
SUBJECT = "Autumn, and what grows in it"
CALLS = [
    *(f"welcome('{name}@example.org')" for name in ("ines", "tom", "yusuf")),
    *(
        f"send_issue(42, '{to}', subject='{SUBJECT}')"
        for to in ("anna@example.org", "ben@example.org", "carla@example.org", "dai@example.org")
    ),
    f"send_issue.options(retries=2, backoff=1)(42, 'eva@example.net', subject='{SUBJECT}')",
    f"send_issue(42, 'finn@example.org', subject='{SUBJECT}')",
    "count_readers(41)",
    f"send_issue.options(hours=36)(43, 'anna@example.org', subject='{SUBJECT}')",
    "welcome.options(minutes=30)('lena@example.org')",
]
FAILED, CANCELLED = 7, 11

RENAME = """({old, new: other}) => {
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) texts.currentNode.data = texts.currentNode.data.replaceAll(old, other);
}"""
"""Where the site is on the machine that takes the pictures is nobody's concern."""


def main() -> None:
    """Take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--to", type=Path, default=ROOT / "docs/assets", help="the folder")
    parser.add_argument("--dark", action="store_true", help="in the dark theme")
    parser.add_argument("--width", type=int, default=1280, help="of the window")
    arguments = parser.parse_args()
    arguments.to.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, newsletter(Path(folder)) as (site, ids):
        for name, page in pages(site, ids, dark=arguments.dark, width=arguments.width):
            page.screenshot(path=arguments.to / f"admin-{name}.png")


@contextmanager
def newsletter(folder: Path) -> Iterator[tuple[Any, list[str]]]:
    """Serve a site whose newsletter is being sent; give it, and the ids of its jobs."""
    admin_site.TASKS = TASKS
    with admin_site.served_site(folder) as site:
        ids = site.put_in(*CALLS)
        assert site.ended(ids[FAILED]).status == "ERROR"
        with site.user("root") as client:
            path = "django_autocron/job/"
            admin_site.post(client, f"{path}{ids[CANCELLED]}/change/", {"action": "cancel"})
            schedule = "django_autocron/schedule/newsletter.tasks.count_subscribers/change/"
            admin_site.post(client, schedule, {"action": "pause"})
        yield site, ids


def pages(site: Any, ids: list[str], *, dark: bool, width: int) -> Iterator[tuple[str, Page]]:
    """Give each page that is shown, and its name, as it stands in the browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page(
            color_scheme="dark" if dark else "light",
            locale="en",
        )
        page.goto(site.url)
        page.fill("#id_username", "root")
        page.fill("#id_password", "secret")
        page.click("input[type=submit]")
        for name, path, height in (
            ("jobs", "job/", 800),
            ("job", f"job/{ids[FAILED]}/change/", 1080),
            ("schedules", "schedule/", 480),
            ("workers", "worker/", 520),
        ):
            page.set_viewport_size({"width": width, "height": height})
            page.goto(f"{site.url}django_autocron/{path}")
            page.evaluate(RENAME, {"old": str(site.project.folder), "new": "/srv/newsletter"})
            yield name, page
        browser.close()


if __name__ == "__main__":
    main()

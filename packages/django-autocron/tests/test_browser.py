"""The pages in Django's admin in a real browser, under a strict Content-Security-Policy."""

import re
import shutil
from contextlib import contextmanager

import pytest
from admin_site import POLICY, served_site
from playwright.sync_api import expect, sync_playwright

from autocron.testing.processes import wait_until

COLLECT = """
window.addEventListener("securitypolicyviolation", (event) => {
    console.error(`violates ${event.violatedDirective}: ${event.blockedURI} ${event.sourceFile} ${event.sample}`);
});
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site, served once for all tests."""
    with served_site(tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.fixture(scope="module")
def browser():
    """Chromium, as the system has it."""
    path = shutil.which("chromium")
    if path is None:
        pytest.fail("there is no Chromium, which these tests need: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def visited(browser, site, **options):
    """A page of a superuser, on which nothing may go wrong."""
    context = browser.new_context(base_url=site.url, locale="en", **options)
    context.add_init_script(COLLECT)
    page, problems = context.new_page(), []

    def look(message):
        if message.type in ("error", "warning"):
            problems.append(f"{page.url}: {message.text}")

    def refuse(response):
        policy = response.headers.get("content-security-policy", "")
        if response.request.resource_type == "document" and policy != POLICY:
            problems.append(f"{response.url}: has no policy")
        if response.status >= 400:
            problems.append(f"{response.url}: {response.status}")

    page.on("console", look)
    page.on("pageerror", lambda error: problems.append(f"{page.url}: {error}"))
    page.on("response", refuse)
    page.goto("")
    page.fill("#id_username", "root")
    page.fill("#id_password", "secret")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("button", name="Log out")).to_be_visible()
    yield page
    context.close()
    if problems:
        raise AssertionError("\n".join(problems))


@pytest.fixture
def page(browser, site):
    """A page of a superuser: no error of the console and no violation of the policy until the test ends."""
    with visited(browser, site) as page:
        yield page


def run_action(page, words, *jobs):
    """Tick jobs in the list, and have something done to them."""
    for job in jobs:
        page.locator(f"input.action-select[value='{job}']").check()
    expect(page.locator(".action-counter")).to_contain_text(f"{len(jobs)} of")
    page.locator("select[name=action]").select_option(label=words)
    page.get_by_role("button", name=re.compile("^(Go|Run)$")).click()


def row(page, job):
    """The row of a job in the list."""
    return page.locator("#result_list tbody tr", has=page.locator(f"input[value='{job}']"))


def test_a_policy_that_is_violated_is_noticed(browser, site):
    """Or else none of these tests would show anything."""

    def visit():
        with visited(browser, site) as page:
            page.evaluate("document.body.innerHTML += '<p style=\"color: red\">no</p>'")
            page.goto("django_autocron/job/")

    with pytest.raises(AssertionError, match="violates style-src"):
        visit()


def test_from_the_index_to_a_job(page, site):
    """The index leads to the list, and that to a job with its arguments; links lead back."""
    (job,) = site.put_in("echo('<script>document.title = 1</script>')")
    site.ended(job)
    page.get_by_role("link", name="Jobs", exact=True).first.click()
    expect(page.get_by_role("heading", name="Jobs", exact=True)).to_be_visible()
    row(page, job).get_by_role("link").click()
    expect(page.locator("#autocron-result pre")).to_have_text(
        "'<script>document.title = 1</script>'"
    )
    expect(page).to_have_title(re.compile("newsletter.tasks.echo"))
    page.locator(".breadcrumbs").get_by_role("link", name="Jobs").click()
    expect(page.get_by_role("heading", name="Jobs", exact=True)).to_be_visible()


def test_filter_and_search(page, site):
    """A filter and a search are links and a form, and hold at the same time."""
    failed, done = site.put_in("fail('filtered')", "echo('filtered')")
    site.ended(failed), site.ended(done)
    page.goto("django_autocron/job/")
    page.locator("#changelist-filter").get_by_role(
        "link", name=re.compile(r"^error \(\d+\)")
    ).click()
    expect(row(page, failed)).to_be_visible()
    expect(row(page, done)).to_have_count(0)
    page.fill("#searchbar", "TASKS.FAI")
    page.get_by_role("button", name="Search").click()
    expect(page).to_have_url(re.compile("state=ERROR"))
    expect(row(page, failed)).to_be_visible()
    page.fill("#searchbar", "no such task")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_text("No such jobs.")).to_be_visible()
    page.get_by_role("link", name=re.compile("Clear all filters")).click()
    page.fill("#searchbar", done[-12:])
    page.get_by_role("button", name="Search").click()
    expect(page.locator("#result_list tbody tr")).to_have_count(1)
    expect(row(page, done)).to_be_visible()


def test_retry(page, site):
    """A job that failed is tried again from its page, when the reason is gone, and is done."""
    (job,) = site.put_in("send_issue(12, 'ada@example.org')")
    site.ended(job)
    page.goto(f"django_autocron/job/{job}/change/")
    expect(page.locator("#autocron-attempts details").first).to_contain_text(
        "MailServerError: mail.example.org does not answer"
    )
    expect(page.locator(".autocron-traceback").first).to_contain_text("raise MailServerError")
    site.project.write("mail-server", "")
    page.get_by_role("button", name="Retry").click()
    expect(page.locator(".messagelist")).to_have_text("1 job waits to be run.")
    site.ended(job)
    page.reload()
    expect(page.locator(".autocron-state").first).to_have_text("done")
    expect(page.locator("#autocron-result pre")).to_have_text(
        "{'issue': 12, 'to': 'ada@example.org'}"
    )


def test_cancel_and_delete(page, site):
    """Jobs are ticked and cancelled, then deleted, after the page has asked."""
    jobs = site.put_in("echo.options(hours=1)(1)", "echo.options(hours=1)(2)")
    page.goto("django_autocron/job/?state=WAITING")
    run_action(page, "Cancel selected jobs", *jobs)
    expect(page.locator(".messagelist")).to_have_text("2 jobs are cancelled.")
    page.goto("django_autocron/job/")
    expect(row(page, jobs[0]).locator(".autocron-state")).to_have_text("cancelled")
    run_action(page, "Delete selected jobs", *jobs)
    expect(page.get_by_text("Are you sure you want to delete these 2 jobs?")).to_be_visible()
    page.get_by_role("button", name="No, take me back").or_(
        page.get_by_role("link", name="No, take me back")
    ).click()
    expect(row(page, jobs[0])).to_be_visible()
    run_action(page, "Delete selected jobs", *jobs)
    page.get_by_role("button", name=re.compile("^Yes")).click()
    expect(page.locator(".messagelist")).to_have_text("2 jobs were deleted.")
    expect(row(page, jobs[0])).to_have_count(0)


def test_stop_and_delete_one(page, site):
    """A job that runs and never looks is watched, stopped by force, and deleted from its page."""
    (job,) = site.put_in("never_look()")
    wait_until(lambda: _progress(site, job))
    page.goto(f"django_autocron/job/{job}/change/")
    expect(page.locator("progress")).to_be_visible()
    page.get_by_role("button", name="Stop by force").click()
    expect(page.locator(".messagelist")).to_have_text("1 job is being stopped.")
    assert site.ended(job).status == "CANCELLED"
    page.reload()
    page.locator("#content-main").get_by_role("link", name="Delete").click()
    page.get_by_role("button", name=re.compile("^Yes")).click()
    expect(page.locator(".messagelist")).to_have_text("1 job was deleted.")
    expect(page.get_by_role("heading", name="Jobs", exact=True)).to_be_visible()


def _progress(site, job):
    with site.database() as database:
        return database.store.get(job).progress


def test_all_of_all_pages(page, site):
    """The admin's own script offers all jobs of a filter, and they are all deleted."""
    site.put_in(
        "echo.options(queue='crowd', hours=1).enqueue_many([{'value': n} for n in range(120)])[0]"
    )
    page.goto("django_autocron/job/?queue=crowd")
    page.locator("#action-toggle").check()
    page.get_by_role("button", name="Select all 120 jobs").click()
    page.locator("select[name=action]").select_option(label="Delete selected jobs")
    page.get_by_role("button", name=re.compile("^(Go|Run)$")).click()
    expect(page.get_by_text("Are you sure you want to delete these 120 jobs?")).to_be_visible()
    page.get_by_role("button", name=re.compile("^Yes")).click()
    expect(page.locator(".messagelist")).to_have_text("120 jobs were deleted.")


def test_schedules(page, site):
    """A schedule is paused from the list, and resumed and run from its page, where its run is then found."""
    name = "newsletter.tasks.send_digest"
    page.goto("django_autocron/schedule/")
    run_action(page, "Pause selected schedules", name)
    expect(page.locator(".messagelist")).to_have_text(f"The schedule {name} is paused.")
    expect(row(page, name).locator(".autocron-state").first).to_have_text("paused")
    row(page, name).get_by_role("link").click()
    expect(page.get_by_text("It is not due at any time.")).to_be_visible()
    page.get_by_role("button", name="Resume").click()
    expect(page.locator("#autocron-coming li")).to_have_count(5)
    page.get_by_role("button", name="Run now").click()
    expect(page.locator(".messagelist")).to_contain_text("was put in.")
    job = page.locator("#autocron-ticks a").inner_text()
    assert site.ended(job).result == '"sent"'
    page.locator("#autocron-ticks a").click()
    expect(page.locator("#autocron-result pre")).to_have_text("'sent'")


def test_workers(page, site):
    """The page shows each worker, and leads to the job that one of them is running."""
    (job,) = site.put_in("count_readers(2)")
    wait_until(lambda: _progress(site, job))
    page.goto("django_autocron/worker/")
    expect(page.locator("#result_list tbody tr")).to_have_count(2)
    expect(page.locator("#result_list .autocron-alive")).to_have_count(2)
    page.locator("#result_list").get_by_role("link", name="newsletter.tasks.count_readers").click()
    page.get_by_role("button", name="Ask to stop").click()
    expect(page.locator(".messagelist")).to_have_text("1 job is running, and was asked to stop.")
    assert site.ended(job).status == "CANCELLED"


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_is_wider_than_the_window(browser, site, theme, width):
    """On narrow screens what is wide scrolls by itself, and texts can be told from their background."""
    (job,) = site.put_in(f"fail('{'x' * 3000}')")
    site.ended(job)
    options = {"viewport": {"width": width, "height": 800}, "color_scheme": theme}
    with visited(browser, site, **options) as page:
        for path in (
            "job/",
            f"job/{job}/change/",
            f"job/{job}/delete/",
            f"job/{job}/history/",
            "schedule/",
            "schedule/newsletter.tasks.send_digest/change/",
            "worker/",
        ):
            page.goto(f"django_autocron/{path}")
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path
            for state in page.locator(".autocron-state").all():
                assert state.evaluate(CONTRAST) > 4.5, path


CONTRAST = """element => {
    const numbers = colour => colour.match(/[\\d.]+/g).map(Number);
    const light = colour => {
        const [r, g, b] = numbers(colour).map(c => c / 255).map(
            c => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    let behind = element;
    while (behind && (numbers(getComputedStyle(behind).backgroundColor)[3] ?? 1) === 0) behind = behind.parentElement;
    const [a, b] = [getComputedStyle(element).color, getComputedStyle(behind ?? document.body).backgroundColor].map(light);
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}"""
"""How well a text can be told from what is behind it: https://www.w3.org/TR/WCAG21/#dfn-contrast-ratio."""

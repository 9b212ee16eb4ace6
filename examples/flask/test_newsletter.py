"""The newsletter as a reader meets it: through HTTP, on real servers."""

import re
import shutil
import socketserver
import threading
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from autocron.testing import Project, wait_until
from autocron.testing.contract import Site

FOLDER = "examples/flask"
DATABASE = f"{FOLDER}/instance/autocron.db"
SERVERS = {
    "flask": f"-m flask --app {FOLDER}/newsletter.py run --port {{port}}",
    "gunicorn": f"-m gunicorn --workers 4 --bind 127.0.0.1:{{port}} --chdir {FOLDER} newsletter:app",
}


@pytest.fixture
def project(tmp_path):
    """A copy of the example, as it comes from the repository."""
    only_source = shutil.ignore_patterns("instance", "__pycache__")
    shutil.copytree(Path(__file__).parent, tmp_path / FOLDER, ignore=only_source)
    with closing(Project(tmp_path)) as project:
        yield project


@pytest.fixture(params=SERVERS.values(), ids=SERVERS)
def browser(project, request):
    """Somebody who looks at the site."""
    site = Site.of(project, request.param, DATABASE)
    url = f"http://127.0.0.1:{site.port}"
    with httpx.Client(base_url=url, follow_redirects=True, timeout=30) as client:
        yield client
        assert "Traceback" not in site.server.output


def see(browser, path, text):
    """Look at a page until it shows a text; return the page."""

    def page():
        shown = browser.get(path).text
        return shown if text in shown else None

    return wait_until(page, or_show=lambda: browser.get(path).text)


def upload(browser, text):
    """Import a file of addresses."""
    return browser.post("/import", files={"addresses": ("readers.csv", text)})


def test_a_reader_signs_up_and_confirms(browser):
    """The confirmation is sent by a worker, and its link makes a reader."""
    assert "Be the first" in browser.get("/").text
    assert "Nearly there" in browser.post("/subscribe", data={"address": " Ann@example.org"}).text
    page = see(browser, "/outbox", "to Ann@example.org")
    link = re.search(r'href="(http://[^"]+/confirm/[^"]+)"', page)[1]
    assert "You are in" in browser.get(link).text
    assert "1 reader so far" in browser.get("/").text
    assert "send mail" in see(browser, "/jobs", "DONE")


def test_an_address_that_is_none_is_refused(browser):
    """The page says what is wrong, keeps what was written, and hands nothing over."""
    answer = browser.post("/subscribe", data={"address": "<ann at example"})
    assert answer.status_code == 422
    assert "Write it as name@domain.org" in answer.text
    assert 'value="&lt;ann at example"' in answer.text
    assert "send mail" not in browser.get("/jobs").text


def test_an_import_can_be_watched(browser):
    """Its page shows that it waits or runs, and at the end what came of it."""
    lines = [f"reader{number}@example.org,Reader {number}" for number in range(20)]
    answer = upload(browser, "\n".join([*lines, lines[0], "nobody", ""]))
    assert re.search(r'class="now (waiting|running)"', answer.text)
    assert 'http-equiv="refresh"' in answer.text
    see(browser, answer.url.path, 'class="now running"')
    page = see(browser, answer.url.path, 'class="now done"')
    assert re.findall(r"<dd>(\d+)</dd>", page) == ["20", "1", "1"]
    assert 'http-equiv="refresh"' not in page
    assert "20 readers so far" in browser.get("/").text


@pytest.mark.parametrize(
    ("text", "status", "message"),
    [
        ("", 422, "Choose a CSV file"),
        ("no addresses", 422, "Choose a CSV file"),
        (b"\xff\xfe\x00", 422, "Choose a CSV file"),
        ("a@example.org\n" * 100_000, 413, "This file is too large"),
    ],
    ids=["empty", "without", "binary", "large"],
)
def test_a_file_that_cannot_be_imported_is_refused(browser, text, status, message):
    """The page says why, and what to do."""
    answer = upload(browser, text)
    assert answer.status_code == status
    assert message in answer.text


@pytest.mark.parametrize("path", ["/confirm/nothing", "/import/nothing", "/nothing"])
def test_what_does_not_exist_is_not_found(browser, path):
    """A page says so."""
    answer = browser.get(path)
    assert answer.status_code == 404
    assert "There is nothing here" in answer.text


def test_old_confirmations_are_looked_for_at_once(browser):
    """The clean-up runs on its schedule, which begins with the server."""
    assert "on schedule" in see(browser, "/jobs", "forget unconfirmed")


class Mailbox(socketserver.StreamRequestHandler):
    """As much of an SMTP server as it takes to get one mail."""

    def handle(self):
        self.wfile.write(b"220 here\r\n")
        while line := self.rfile.readline():
            if line.upper().startswith(b"DATA"):
                self.wfile.write(b"354 go on\r\n")
                lines = iter(self.rfile.readline, b".\r\n")
                self.server.mails.append(b"".join(lines).decode())
            self.wfile.write(b"250 fine\r\n")


@pytest.fixture
def mail_server():
    """A mail server that keeps what it gets in `mails`."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Mailbox) as server:
        server.daemon_threads = True
        server.mails = []
        threading.Thread(target=server.serve_forever).start()
        yield server
        server.shutdown()


def test_mails_go_to_the_server_that_is_set(project, mail_server):
    """With a mail server in the configuration, nothing goes to the outbox."""
    project.environ["NEWSLETTER_SMTP"] = f"127.0.0.1:{mail_server.server_address[1]}"
    site = Site.of(project, SERVERS["flask"], DATABASE)
    url = f"http://127.0.0.1:{site.port}/subscribe"
    httpx.post(url, data={"address": "ann@example.org"}, timeout=30)
    [mail] = wait_until(lambda: mail_server.mails)
    assert "To: ann@example.org" in mail
    assert list(project.folder.glob(f"{FOLDER}/instance/outbox/*")) == []


def test_the_example_can_be_read_at_once():
    """The app has fewer than 150 lines."""
    lines = Path(__file__).with_name("newsletter.py").read_text().splitlines()
    assert len(lines) < 150

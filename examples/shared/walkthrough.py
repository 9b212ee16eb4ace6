"""The newsletter as a reader meets it, through HTTP, on the real servers of each framework.

All frameworks have the same newsletter, with the same paths, words and environment variables. `test_newsletter.py` of
each says how it is served, and what it has besides.
"""

import re
import shlex
import shutil
import socketserver
import threading
from contextlib import closing
from html import unescape
from pathlib import Path
from typing import ClassVar

import httpx
import pytest

from autocron.testing import Project, wait_until
from autocron.testing.contract import Site

EXAMPLES = Path(__file__).parent.parent
NO_SOURCE = ("__pycache__", "data", "instance")


class Walkthrough:
    """What each newsletter has to show. A subclass says how it is served.

    Example:
        ```python
        class TestNewsletter(Walkthrough):
            framework = "flask"
            data = "instance"
            servers = {"flask": "-m flask --app examples/flask/newsletter.py run --port {port}"}
        ```
    """

    framework: ClassVar[str]
    """The name of the folder in `examples/`."""
    data: ClassVar[str]
    """Where in that folder the database `autocron.db` is, and the folder `outbox`."""
    servers: ClassVar[dict[str, str]]
    """The ways of serving it: for each name the arguments of Python, as in a shell, with `{port}`."""
    preparation: ClassVar[str] = ""
    """What is run before the first start: arguments of Python, as in a shell."""
    environ: ClassVar[dict[str, str]] = {}
    """Environment variables, of the servers and of the preparation."""

    @classmethod
    def pytest_generate_tests(cls, metafunc):
        """Run each test that has a browser under all servers."""
        if "server_name" in metafunc.fixturenames:
            metafunc.parametrize("server_name", cls.servers)

    @pytest.fixture
    def project(self, tmp_path):
        """A copy of the example, as it comes from the repository."""
        source, copy = EXAMPLES / self.framework, tmp_path / "examples" / self.framework
        shutil.copytree(source, copy, ignore=shutil.ignore_patterns(*NO_SOURCE))
        with closing(Project(tmp_path, self.environ)) as project:
            if self.preparation:
                done = project.run(*shlex.split(self.preparation))
                assert done.returncode == 0, done.stdout
            yield project

    @property
    def data_folder(self):
        """The folder of the newsletter's own files, within that of the project."""
        return f"examples/{self.framework}/{self.data}"

    def serve(self, project, name):
        """Serve the newsletter in one of the ways."""
        return Site.of(project, self.servers[name], f"{self.data_folder}/autocron.db")

    @pytest.fixture
    def site(self, project, server_name):
        """The newsletter, being served."""
        return self.serve(project, server_name)

    @pytest.fixture
    def browser(self, site):
        """Somebody who looks at the site."""
        with open_browser(site) as browser:
            yield browser
        assert "Traceback" not in site.server.output

    def test_a_reader_signs_up_and_confirms(self, browser):
        """The confirmation is sent by a worker, and its link makes a reader."""
        assert "Be the first" in browser.get("/").text
        assert "Nearly there" in sign_up(browser, " Ann@example.org").text
        page = see(browser, "/outbox", "to Ann@example.org")
        link = re.search(r'href="(http://[^"]+/confirm/[^"]+)"', page)[1]
        assert "You are in" in browser.get(link).text
        assert "1 reader so far" in browser.get("/").text
        assert "send mail" in see(browser, "/jobs", "DONE")

    def test_an_address_that_is_none_is_refused(self, browser):
        """The page says what is wrong, keeps what was written, and hands nothing over."""
        answer = sign_up(browser, "<ann at example")
        assert answer.status_code == 422
        assert "Write it as name@domain.org" in answer.text
        assert 'value="&lt;ann at example"' in answer.text
        assert "send mail" not in browser.get("/jobs").text

    def test_an_import_can_be_watched(self, browser):
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
    def test_a_file_that_cannot_be_imported_is_refused(self, browser, text, status, message):
        """The page says why, and what to do."""
        answer = upload(browser, text)
        assert answer.status_code == status
        assert message in answer.text

    @pytest.mark.parametrize("path", ["/confirm/nothing", "/import/nothing", "/nothing"])
    def test_what_does_not_exist_is_not_found(self, browser, path):
        """A page says so."""
        answer = browser.get(path)
        assert answer.status_code == 404
        assert "There is nothing here" in answer.text

    def test_old_confirmations_are_looked_for_at_once(self, browser):
        """The clean-up runs on its schedule, which begins with the server."""
        assert "on schedule" in see(browser, "/jobs", "forget unconfirmed")

    def test_the_pages_have_their_style(self, browser):
        """Each server serves the style sheet as well."""
        [sheet] = re.findall(r'<link rel="stylesheet" href="([^"]+)">', browser.get("/").text)
        assert "--accent" in browser.get(sheet).text

    def test_nothing_is_left_when_the_server_has_ended(self, browser, site):
        """The workers came with it, and go with it."""
        see(browser, "/jobs", "DONE")
        assert site.project.autocron_processes("worker")
        site.server.end()
        wait_until(
            lambda: not site.project.autocron_processes(), or_show=lambda: site.server.output
        )

    def test_mails_go_to_the_server_that_is_set(self, project, mail_server):
        """With a mail server in the configuration, nothing goes to the outbox."""
        project.environ["NEWSLETTER_SMTP"] = f"127.0.0.1:{mail_server.server_address[1]}"
        with open_browser(self.serve(project, next(iter(self.servers)))) as browser:
            sign_up(browser, "ann@example.org")
            [mail] = wait_until(lambda: mail_server.mails)
            assert "To: ann@example.org" in mail
            assert "nothing is kept here" in browser.get("/outbox").text
        assert list(project.folder.glob(f"{self.data_folder}/outbox/*")) == []

    @pytest.fixture
    def mail_server(self):
        """A mail server that keeps what it gets in `mails`."""
        with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Mailbox) as server:
            server.daemon_threads = True
            server.mails = []
            threading.Thread(target=server.serve_forever).start()
            yield server
            server.shutdown()


class Mailbox(socketserver.StreamRequestHandler):
    """As much of an SMTP server as it takes to get one mail."""

    def handle(self):
        """Take what a client has to say."""
        self.wfile.write(b"220 here\r\n")
        while line := self.rfile.readline():
            if line.upper().startswith(b"DATA"):
                self.wfile.write(b"354 go on\r\n")
                lines = iter(self.rfile.readline, b".\r\n")
                self.server.mails.append(b"".join(lines).decode())
            self.wfile.write(b"250 fine\r\n")


def open_browser(site):
    """Return a client that looks at a site, with its cookies."""
    url = f"http://127.0.0.1:{site.port}"
    return httpx.Client(base_url=url, follow_redirects=True, timeout=30)


def see(browser, path, text):
    """Look at a page until it shows a text; return the page."""

    def page():
        shown = browser.get(path).text
        return shown if text in shown else None

    return wait_until(page, or_show=lambda: browser.get(path).text)


def sign_up(browser, address):
    """Ask for the newsletter."""
    action, hidden = form_with(browser, "address")
    return browser.post(action, data={**hidden, "address": address})


def upload(browser, text):
    """Import a file of addresses."""
    action, hidden = form_with(browser, "addresses")
    return browser.post(action, data=hidden, files={"addresses": ("readers.csv", text)})


def form_with(browser, field):
    """Find the form of the first page that has a field; return where it goes, and what is hidden in it."""
    for action, form in re.findall(
        r'<form action="(.*?)"(.*?)</form>', browser.get("/").text, re.DOTALL
    ):
        if f'name="{field}"' in form:
            hidden = re.findall(r'<input type="hidden" name="(.*?)" value="(.*?)"', form)
            return action, {name: unescape(value) for name, value in hidden}
    raise AssertionError(f"no form has the field {field}")

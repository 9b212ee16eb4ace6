"""The newsletter as a reader meets it, through HTTP, on the real servers of all frameworks.

It has the same paths, words and environment variables in each of them. What only one of them has is tested in its folder.
"""

import re
import socketserver
import threading

import pytest
from browser import open_browser, see, sign_up, upload
from newsletters import EXAMPLES, NEWSLETTERS

from autocron.testing import wait_until


def ways(at_most=None):
    """Return the newsletters with their servers, or with the first ones of each."""
    return [
        pytest.param(newsletter, server, id=f"{newsletter.name}-{server}")
        for newsletter in NEWSLETTERS
        for server in list(newsletter.servers)[:at_most]
    ]


on_all_servers = pytest.mark.parametrize(("newsletter", "server"), ways())
on_one_server = pytest.mark.parametrize(("newsletter", "server"), ways(1))

NOTHING_TO_IMPORT = ["", "no addresses", b"\xff\xfe\x00"]
TOO_LARGE = "a@example.org\n" * 100_000


@on_all_servers
def test_the_newsletter(newsletter, server, site, browser):
    """A reader signs up, imports others, sees what became of it; and nothing is left when the server has ended."""
    a_reader_signs_up_and_confirms(browser)
    an_import_can_be_watched(browser)
    old_confirmations_are_looked_for_at_once(browser)
    nothing_is_left_when_the_server_has_ended(newsletter, server, site)


def a_reader_signs_up_and_confirms(browser):
    """The confirmation is sent by a worker, and its link makes a reader."""
    assert "Be the first" in browser.get("/").text
    assert "Nearly there" in sign_up(browser, " Ann@example.org").text
    page = see(browser, "/outbox", "to Ann@example.org")
    link = re.search(r'href="(http://[^"]+/confirm/[^"]+)"', page)[1]
    assert "You are in" in browser.get(link).text
    assert "1 reader so far" in browser.get("/").text
    assert "send mail" in see(browser, "/jobs", "DONE")


def an_import_can_be_watched(browser):
    """Its page shows that it waits or runs, and at the end what came of it."""
    lines = [f"reader{number}@example.org,Reader {number}" for number in range(20)]
    answer = upload(browser, "\n".join([*lines, lines[0], "nobody", ""]))
    assert re.search(r'class="now (waiting|running)"', answer.text)
    assert 'http-equiv="refresh"' in answer.text
    see(browser, answer.url.path, 'class="now running"')
    page = see(browser, answer.url.path, 'class="now done"')
    assert re.findall(r"<dd>(\d+)</dd>", page) == ["20", "1", "1"]
    assert 'http-equiv="refresh"' not in page
    assert "21 readers so far" in browser.get("/").text


def old_confirmations_are_looked_for_at_once(browser):
    """The clean-up runs on its schedule, which begins with the server."""
    assert "on schedule" in see(browser, "/jobs", "forget unconfirmed")


def nothing_is_left_when_the_server_has_ended(newsletter, server, site):
    """The workers came with it, and go with it."""
    assert site.project.autocron_processes("worker")
    newsletter.end(site, server)
    wait_until(lambda: not site.project.autocron_processes(), or_show=lambda: site.server.output)


@on_one_server
def test_an_address_that_is_none_is_refused(browser):
    """The page says what is wrong, keeps what was written, and hands nothing over."""
    answer = sign_up(browser, "<ann at example")
    assert answer.status_code == 422
    assert "Write it as name@domain.org" in answer.text
    assert 'value="&lt;ann at example"' in answer.text
    assert "send mail" not in browser.get("/jobs").text


@on_one_server
def test_a_file_that_cannot_be_imported_is_refused(browser):
    """The page says why, and what to do."""
    for text in NOTHING_TO_IMPORT:
        answer = upload(browser, text)
        assert answer.status_code == 422, text
        assert "Choose a CSV file" in answer.text
    answer = upload(browser, TOO_LARGE)
    assert answer.status_code == 413
    assert "This file is too large" in answer.text


@on_one_server
def test_what_does_not_exist_is_not_found(browser):
    """A page says so."""
    for path in ("/confirm/nothing", "/import/nothing", "/nothing"):
        answer = browser.get(path)
        assert answer.status_code == 404, path
        assert "There is nothing here" in answer.text


@on_one_server
def test_the_pages_have_their_style(browser):
    """The server serves the style sheet as well."""
    [sheet] = re.findall(r'<link rel="stylesheet" href="([^"]+)">', browser.get("/").text)
    assert "--accent" in browser.get(sheet).text


@on_one_server
def test_mails_go_to_the_server_that_is_set(newsletter, server, project, mail_server):
    """With a mail server in the configuration, nothing goes to the outbox."""
    project.environ["NEWSLETTER_SMTP"] = f"127.0.0.1:{mail_server.server_address[1]}"
    with open_browser(newsletter.serve(project, server)) as browser:
        sign_up(browser, "ann@example.org")
        [mail] = wait_until(lambda: mail_server.mails)
        assert "To: ann@example.org" in mail
        assert "nothing is kept here" in browser.get("/outbox").text
    assert list(project.folder.glob(f"{newsletter.data_folder}/outbox/*")) == []


@pytest.fixture
def mail_server():
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


@pytest.mark.parametrize(
    "path", sorted(EXAMPLES.glob("*/newsletter.py")), ids=lambda path: path.parent.name
)
def test_an_example_can_be_read_at_once(path):
    """The app has fewer than 150 lines, without those that the formatter leaves blank."""
    lines = [line for line in path.read_text().splitlines() if line]
    assert len(lines) < 150

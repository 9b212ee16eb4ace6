"""A small newsletter. All that takes time is done by worker processes, which come with the app."""

import asyncio
import csv
import re
import secrets
import smtplib
import sqlite3
import time
from contextlib import closing
from email import message_from_bytes, policy
from email.message import EmailMessage
from io import StringIO
from os import environ
from pathlib import Path

import tornado
from tornado.options import define, options
from tornado.web import HTTPError, RequestHandler

import autocron
from autocron.errors import UnknownJob

HERE = Path(__file__).parent
DATA = HERE / "data"
SMTP = environ.get("NEWSLETTER_SMTP", "")  # such as localhost:25
SECONDS_PER_ADDRESS = float(environ.get("NEWSLETTER_SECONDS_PER_ADDRESS", "0.1"))

define("port", default=8888, help="where to listen")
define("processes", default=1, help="how many processes serve")


def sql(statement, *values):
    with closing(sqlite3.connect(DATA / "newsletter.db")) as connection, connection:
        return connection.execute(statement, values).fetchall()


(DATA / "outbox").mkdir(parents=True, exist_ok=True)
sql("CREATE TABLE IF NOT EXISTS reader (address PRIMARY KEY, token, since, confirmed)")


def is_address(text):
    return len(text) <= 254 and re.fullmatch(r"[\w.+'-]+@[\w-]+(\.[\w-]+)+", text, re.ASCII)


def add_reader(address, *, confirmed):
    """Return the token for the confirmation, or None if the address is known already."""
    row = (address.lower(), secrets.token_urlsafe(), time.time(), confirmed)
    added = sql("INSERT OR IGNORE INTO reader VALUES (?, ?, ?, ?) RETURNING token", *row)
    return added[0][0] if added else None


# What workers do ------------------------------------------------------------------------------


@autocron.delay(retries=3)
def send_mail(to, subject, text):
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "Fieldnotes <hello@example.org>", to, subject
    mail.set_content(text)
    if SMTP:
        with smtplib.SMTP(SMTP, timeout=30) as server:
            server.send_message(mail)
    else:
        (DATA / "outbox" / f"{time.time_ns()}.eml").write_bytes(bytes(mail))


@autocron.delay(ttl=24 * 3600)
async def import_addresses(text):
    counts = {"added": 0, "known": 0, "refused": 0}
    for row in filter(None, csv.reader(StringIO(text))):
        address = row[0].strip()
        await asyncio.sleep(SECONDS_PER_ADDRESS)  # what a look-up of its domain takes
        is_new = is_address(address) and add_reader(address, confirmed=True)
        counts["added" if is_new else "known" if is_address(address) else "refused"] += 1
    return counts


@autocron.cron("0 8 * * 1")
def send_digest_on_mondays():
    text = "What happened this week: nothing was lost, and nobody had to look after it."
    readers = sql("SELECT address FROM reader WHERE confirmed")
    send_mail.enqueue_many([(address, "Your digest of the week", text) for (address,) in readers])


@autocron.every(seconds=3600, start_now=True)
def forget_unconfirmed():
    sql("DELETE FROM reader WHERE NOT confirmed AND since < ?", time.time() - 2 * 24 * 3600)


# What the browser sees ------------------------------------------------------------------------
# Nothing may block the event loop, so what looks into a database is called in threads.


class Page(RequestHandler):
    def write_error(self, status_code, **kwargs):
        self.render("error.html", status=status_code)


class NotFound(Page):
    def prepare(self):
        raise HTTPError(404)


class Index(Page):
    async def get(self):
        await self.show(done=self.get_argument("done", ""))

    async def show(self, done="", address="", wrong=""):
        [(count,)] = await asyncio.to_thread(sql, "SELECT count(*) FROM reader WHERE confirmed")
        self.set_status(422 if wrong else 200)
        self.render("index.html", count=count, smtp=SMTP, done=done, address=address, wrong=wrong)


class Subscribe(Index):
    async def post(self):
        address = self.get_argument("address", "")
        if not is_address(address):
            return await self.show(address=address, wrong="address")
        if token := await asyncio.to_thread(add_reader, address, confirmed=False):
            link = f"{self.request.protocol}://{self.request.host}/confirm/{token}"
            text = f"Open this link, and you are in:\n\n{link}\n"
            await send_mail(address, "Please confirm", text).stored()
        return self.redirect("/?done=subscribed")


class Confirm(Page):
    async def get(self, token):
        confirmed = "UPDATE reader SET confirmed = 1 WHERE token = ? RETURNING address"
        if not await asyncio.to_thread(sql, confirmed, token):
            raise HTTPError(404)
        self.redirect("/?done=confirmed")


class Import(Index):
    async def post(self):
        content = b"".join(file.body for file in self.request.files.get("addresses", []))
        if len(content) > 10**6:
            raise HTTPError(413)
        text = content.decode("utf-8-sig", "replace")
        if "@" not in text:
            return await self.show(wrong="file")
        result = import_addresses(text)
        await result.stored()  # another process may show its page
        return self.redirect(f"/import/{result.id}")


class ShowImport(Page):
    async def get(self, job_id):
        job = autocron.result(job_id)
        try:
            status = await asyncio.to_thread(lambda: job.status)
        except UnknownJob:
            raise HTTPError(404) from None
        self.render("import.html", status=status, job=job)


class ShowJobs(Page):
    async def get(self):
        self.render("jobs.html", jobs=await asyncio.to_thread(autocron.jobs, limit=30), time=time)


class ShowOutbox(Page):
    def get(self):
        files = sorted(DATA.glob("outbox/*.eml"), reverse=True)[:20]
        mails = [message_from_bytes(file.read_bytes(), policy=policy.default) for file in files]
        self.render("outbox.html", mails=mails, smtp=SMTP)


PAGES = [
    ("/", Index),
    ("/subscribe", Subscribe),
    ("/confirm/(.+)", Confirm),
    ("/import", Import),
    ("/import/(.+)", ShowImport),
    ("/jobs", ShowJobs),
    ("/outbox", ShowOutbox),
]


async def main(sockets):
    app = tornado.web.Application(
        PAGES,
        default_handler_class=NotFound,
        template_path=HERE / "templates",
        static_path=HERE.parent / "shared/static",
        xsrf_cookies=True,
    )
    tornado.httpserver.HTTPServer(app).add_sockets(sockets)
    await asyncio.Event().wait()


if __name__ == "__main__":
    options.parse_command_line()
    autocron.start(DATA / "autocron.db", workers=int(environ.get("NEWSLETTER_WORKERS", "2")))
    sockets = tornado.netutil.bind_sockets(options.port, "127.0.0.1")
    if options.processes > 1:
        tornado.process.fork_processes(options.processes)
    asyncio.run(main(sockets))

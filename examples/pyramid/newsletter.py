"""A small newsletter. All that takes time is done by worker processes, which come with the app."""

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

from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPFound, HTTPNotFound, HTTPRequestEntityTooLarge
from pyramid.threadlocal import get_current_registry
from pyramid.view import exception_view_config, notfound_view_config, view_config

import autocron
from autocron.errors import UnknownJob

DATA = Path(__file__).with_name("data")
VARIABLES = {
    "NEWSLETTER_SMTP": "newsletter.smtp",
    "NEWSLETTER_SECONDS_PER_ADDRESS": "newsletter.seconds_per_address",
    "NEWSLETTER_WORKERS": "autocron.workers",
}


def main(global_config, **settings):  # noqa: ARG001 - so it is called
    settings |= {key: environ[name] for name, key in VARIABLES.items() if name in environ}
    (DATA / "outbox").mkdir(parents=True, exist_ok=True)
    sql("CREATE TABLE IF NOT EXISTS reader (address PRIMARY KEY, token, since, confirmed)")
    with Configurator(settings=settings) as config:
        config.include("pyramid_jinja2")
        config.add_jinja2_renderer(".html")
        config.include("pyramid_autocron")
        config.add_static_view("static", settings["newsletter.static"])
        config.add_route("index", "/")
        config.add_route("subscribe", "/subscribe", request_method="POST")
        config.add_route("confirm", "/confirm/{token}")
        config.add_route("import", "/import", request_method="POST")
        config.add_route("show_import", "/import/{job_id}")
        config.add_route("jobs", "/jobs")
        config.add_route("outbox", "/outbox")
        config.scan()
    return config.make_wsgi_app()


def sql(statement, *values):
    with closing(sqlite3.connect(DATA / "newsletter.db")) as connection, connection:
        return connection.execute(statement, values).fetchall()


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
    smtp = get_current_registry().settings["newsletter.smtp"]  # in jobs, too, it is the app's
    if smtp:
        with smtplib.SMTP(smtp, timeout=30) as server:
            server.send_message(mail)
    else:
        (DATA / "outbox" / f"{time.time_ns()}.eml").write_bytes(bytes(mail))


@autocron.delay(ttl=24 * 3600)
def import_addresses(text):
    seconds = float(get_current_registry().settings["newsletter.seconds_per_address"])
    counts = {"added": 0, "known": 0, "refused": 0}
    for row in filter(None, csv.reader(StringIO(text))):
        address = row[0].strip()
        time.sleep(seconds)  # what a look-up of its domain takes
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


@view_config(route_name="index", renderer="index.html")
def index(request, **problems):
    [(count,)] = sql("SELECT count(*) FROM reader WHERE confirmed")
    request.response.status = 422 if problems else 200
    smtp = request.registry.settings["newsletter.smtp"]
    return {"count": count, "done": request.GET.get("done"), "smtp": smtp, **problems}


@view_config(route_name="subscribe", renderer="index.html")
def subscribe(request):
    address = request.POST.get("address", "").strip()
    if not is_address(address):
        problem = "Write it as name@domain.org, please."
        return index(request, address=address, address_problem=problem)
    if token := add_reader(address, confirmed=False):
        link = request.route_url("confirm", token=token)
        send_mail(address, "Please confirm", f"Open this link, and you are in:\n\n{link}\n")
    return HTTPFound(request.route_url("index", _query={"done": "subscribed"}))


@view_config(route_name="confirm")
def confirm(request):
    token = request.matchdict["token"]
    if not sql("UPDATE reader SET confirmed = 1 WHERE token = ? RETURNING address", token):
        raise HTTPNotFound
    return HTTPFound(request.route_url("index", _query={"done": "confirmed"}))


@view_config(route_name="import", renderer="index.html")
def upload(request):
    file = getattr(request.POST.get("addresses"), "file", None)
    text = file.read().decode("utf-8-sig", "replace") if file else ""
    if len(text) > 10**6:
        raise HTTPRequestEntityTooLarge
    if "@" not in text:
        problem = "Choose a CSV file with an address at the start of each line."
        return index(request, file_problem=problem)
    return HTTPFound(request.route_url("show_import", job_id=import_addresses(text).id))


@view_config(route_name="show_import", renderer="import.html")
def show_import(request):
    return {"job": request.autocron.result(request.matchdict["job_id"])}


@view_config(route_name="jobs", renderer="jobs.html")
def show_jobs(request):
    return {"jobs": request.autocron.jobs(limit=30), "time": time}


@view_config(route_name="outbox", renderer="outbox.html")
def show_outbox(request):
    files = sorted(DATA.glob("outbox/*.eml"), reverse=True)[:20]
    mails = [message_from_bytes(file.read_bytes(), policy=policy.default) for file in files]
    return {"mails": mails, "smtp": request.registry.settings["newsletter.smtp"]}


@notfound_view_config(renderer="error.html")
@exception_view_config(HTTPRequestEntityTooLarge, renderer="error.html")
@exception_view_config(UnknownJob, renderer="error.html")
def explain(error, request):
    request.response.status = getattr(error, "code", 404)
    return {"status": request.response.status_code}

"""A small newsletter. All that takes time is done by worker processes, which come with the app."""

import csv
import re
import secrets
import smtplib
import sqlite3
import sys
import time
from contextlib import closing
from email import message_from_bytes, policy
from email.message import EmailMessage
from io import StringIO
from os import environ
from pathlib import Path

import bottle
from bottle import jinja2_template, redirect, request

import autocron
from autocron.errors import UnknownJob
from bottle_autocron import AutocronPlugin

DATA = Path(__file__).with_name("data")
SHARED = Path(__file__).parent.parent / "shared"
SMTP = environ.get("NEWSLETTER_SMTP", "")  # such as localhost:25
SECONDS_PER_ADDRESS = float(environ.get("NEWSLETTER_SECONDS_PER_ADDRESS", "0.1"))

app = bottle.Bottle()
app.install(AutocronPlugin())
app.config["autocron.database"] = DATA / "autocron.db"
app.config["autocron.workers"] = environ.get("NEWSLETTER_WORKERS", "2")
bottle.TEMPLATE_PATH.append(str(SHARED / "templates"))
bottle.Jinja2Template.settings = {"autoescape": True}
bottle.Jinja2Template.defaults = {"smtp": SMTP}


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
def import_addresses(text):
    counts = {"added": 0, "known": 0, "refused": 0}
    for row in filter(None, csv.reader(StringIO(text))):
        address = row[0].strip()
        time.sleep(SECONDS_PER_ADDRESS)  # what a look-up of its domain takes
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


@app.get("/")
def index(**problems):
    [(count,)] = sql("SELECT count(*) FROM reader WHERE confirmed")
    bottle.response.status = 422 if problems else 200
    return jinja2_template("index.html", count=count, done=request.query.done, **problems)


@app.post("/subscribe")
def subscribe():
    address = request.forms.address.strip()
    if not is_address(address):
        return index(address=address, address_problem="Write it as name@domain.org, please.")
    if token := add_reader(address, confirmed=False):
        link = request.urlparts._replace(path=f"/confirm/{token}").geturl()
        send_mail(address, "Please confirm", f"Open this link, and you are in:\n\n{link}\n")
    return redirect("/?done=subscribed")


@app.get("/confirm/<token>")
def confirm(token):
    if not sql("UPDATE reader SET confirmed = 1 WHERE token = ? RETURNING address", token):
        bottle.abort(404)
    return redirect("/?done=confirmed")


@app.post("/import")
def upload():
    file = request.files.get("addresses")
    text = file.file.read().decode("utf-8-sig", "replace") if file else ""
    if len(text) > 10**6:
        bottle.abort(413)
    if "@" not in text:
        return index(file_problem="Choose a CSV file with an address at the start of each line.")
    return redirect(f"/import/{import_addresses(text).id}")


@app.get("/import/<job_id>")
def show_import(job_id):
    try:
        return jinja2_template("import.html", job=autocron.result(job_id))
    except UnknownJob:
        return bottle.abort(404)


@app.get("/jobs")
def show_jobs():
    return jinja2_template("jobs.html", jobs=autocron.jobs(limit=30), time=time)


@app.get("/outbox")
def show_outbox():
    files = sorted(DATA.glob("outbox/*.eml"), reverse=True)[:20]
    mails = [message_from_bytes(file.read_bytes(), policy=policy.default) for file in files]
    return jinja2_template("outbox.html", mails=mails)


@app.get("/static/<name>")
def static(name):
    return bottle.static_file(name, root=SHARED / "static")


@app.error(404)
@app.error(413)
def explain(error):
    return jinja2_template("error.html", status=error.status_code)


if __name__ == "__main__":
    bottle.run(app, port=sys.argv[1] if sys.argv[1:] else 8080)

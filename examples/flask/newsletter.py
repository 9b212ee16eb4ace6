"""A small newsletter. All that takes time is done by worker processes, which come with the app."""

import csv
import re
import secrets
import smtplib
import sqlite3
import time
from datetime import datetime, timezone
from email import message_from_bytes, policy
from email.message import EmailMessage
from io import StringIO
from pathlib import Path

import autocron
from autocron.errors import UnknownJob
from flask import Flask, abort, current_app, g, redirect, render_template, request, url_for
from flask_autocron import Autocron

app = Flask(__name__)
app.config.update(SMTP="", SECONDS_PER_ADDRESS=0.1, MAX_CONTENT_LENGTH=1_000_000)
app.config.from_prefixed_env("NEWSLETTER")  # such as NEWSLETTER_SMTP=localhost:25
Autocron(app)


def database():
    """Return the connection of this request, or of this job: both have an app context."""
    if "database" not in g:
        g.database = sqlite3.connect(Path(current_app.instance_path, "newsletter.db"))
    return g.database


@app.teardown_appcontext
def close_database(_error):
    if "database" in g:
        g.pop("database").close()


with app.app_context():
    database().execute(
        "CREATE TABLE IF NOT EXISTS subscriber (address TEXT PRIMARY KEY, token TEXT, since REAL, "
        "confirmed INTEGER)"
    )


def add_subscriber(address, *, confirmed):
    """Return the token for the confirmation, or None if the address is known already."""
    token = secrets.token_urlsafe()
    row = (address.lower(), token, time.time(), confirmed)
    with database() as connection:
        added = connection.execute("INSERT OR IGNORE INTO subscriber VALUES (?, ?, ?, ?)", row)
    return token if added.rowcount else None


def is_address(text):
    return len(text) <= 254 and re.fullmatch(r"[^@\s,;<>]+@[^@\s,;<>.]+(\.[^@\s,;<>.]+)+", text)


# What workers do ------------------------------------------------------------------------------


@autocron.delay(retries=3)
def send_mail(to, subject, text):
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "Fieldnotes <hello@example.org>", to, subject
    mail.set_content(text)
    if current_app.config["SMTP"]:
        host, _, port = current_app.config["SMTP"].partition(":")
        with smtplib.SMTP(host, int(port or 25), timeout=30) as server:
            server.send_message(mail)
    else:
        outbox().joinpath(f"{time.time_ns()}.eml").write_bytes(bytes(mail))


@autocron.delay(ttl=24 * 3600)
def import_addresses(text):
    counts = {"added": 0, "known": 0, "refused": 0}
    for row in csv.reader(StringIO(text)):
        address = row[0].strip() if row else ""
        time.sleep(current_app.config["SECONDS_PER_ADDRESS"])  # as a look-up of its domain takes
        if not is_address(address):
            counts["refused"] += 1
        elif add_subscriber(address, confirmed=True):
            counts["added"] += 1
        else:
            counts["known"] += 1
    return counts


@autocron.cron("0 8 * * 1")  # every Monday at eight
def send_digest():
    readers = database().execute("SELECT address FROM subscriber WHERE confirmed").fetchall()
    text = "What happened this week: nothing was lost, and nobody had to look after it."
    send_mail.enqueue_many([(address, "Your digest of the week", text) for (address,) in readers])
    return len(readers)


@autocron.every(seconds=3600, start_now=True)
def forget_unconfirmed():
    two_days_ago = time.time() - 2 * 24 * 3600
    with database() as connection:
        connection.execute(
            "DELETE FROM subscriber WHERE NOT confirmed AND since < ?", [two_days_ago]
        )


# What the browser sees ------------------------------------------------------------------------


def outbox():
    folder = Path(current_app.instance_path, "outbox")
    folder.mkdir(exist_ok=True)
    return folder


def index(status=200, **problems):
    count = database().execute("SELECT count(*) FROM subscriber WHERE confirmed").fetchone()[0]
    return render_template("index.html", count=count, **problems), status


app.add_url_rule("/", view_func=index)


@app.post("/subscribe")
def subscribe():
    address = request.form.get("address", "").strip()
    if not is_address(address):
        problem = "This does not look like an address. It needs a name, an @ and a domain."
        return index(422, address=address, address_problem=problem)
    if token := add_subscriber(address, confirmed=False):
        link = url_for("confirm", token=token, _external=True)
        send_mail(address, "Please confirm", f"Welcome! Open this link and you are in:\n\n{link}")
    return redirect(url_for("check_mail"))


@app.get("/check-mail")
def check_mail():
    return render_template("check_mail.html")


@app.get("/confirm/<token>")
def confirm(token):
    with database() as connection:
        found = connection.execute(
            "UPDATE subscriber SET confirmed = 1 WHERE token = ?", [token]
        ).rowcount
    return render_template("confirmed.html") if found else abort(404)


@app.post("/import")
def upload():
    try:
        text = request.files["addresses"].read().decode("utf-8-sig")
    except (KeyError, UnicodeDecodeError):
        text = ""
    if "@" not in text:
        problem = "Choose a CSV file in UTF-8 with an address at the start of each line."
        return index(422, file_problem=problem)
    return redirect(url_for("show_import", job_id=import_addresses(text).id))


@app.get("/import/<job_id>")
def show_import(job_id):
    try:
        return render_template("import.html", job=autocron.result(job_id))
    except UnknownJob:
        abort(404)


@app.post("/digest")
def digest():
    send_digest()
    return redirect(url_for("show_jobs"))


@app.get("/jobs")
def show_jobs():
    return render_template("jobs.html", jobs=autocron.jobs(limit=30))


@app.get("/outbox")
def show_outbox():
    files = sorted(outbox().glob("*.eml"), reverse=True)[:20]
    mails = [message_from_bytes(file.read_bytes(), policy=policy.default) for file in files]
    return render_template("outbox.html", mails=mails)


@app.template_filter()
def clock(seconds):
    return datetime.fromtimestamp(seconds, timezone.utc).astimezone().strftime("%d %b, %H:%M:%S")


@app.errorhandler(404)
@app.errorhandler(413)
def explain(error):
    return render_template("error.html", error=error), error.code

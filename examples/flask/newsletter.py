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
from pathlib import Path

from flask import Flask, abort, current_app, redirect, render_template, request, url_for

import autocron
from autocron.errors import UnknownJob
from flask_autocron import Autocron

app = Flask(__name__, static_folder="../shared/static", template_folder="../shared/templates")
app.config.update(SMTP="", SECONDS_PER_ADDRESS=0.1, MAX_CONTENT_LENGTH=10**6, AUTOCRON_WORKERS=2)
app.config.from_prefixed_env("NEWSLETTER")  # such as NEWSLETTER_SMTP=localhost:25
Autocron(app)


def sql(statement, *values):
    path = Path(current_app.instance_path, "newsletter.db")  # jobs, too, have a current_app
    with closing(sqlite3.connect(path)) as connection, connection:
        return connection.execute(statement, values).fetchall()


with app.app_context():
    sql("CREATE TABLE IF NOT EXISTS reader (address PRIMARY KEY, token, since, confirmed)")
    Path(app.instance_path, "outbox").mkdir(exist_ok=True)


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
    if current_app.config["SMTP"]:
        with smtplib.SMTP(current_app.config["SMTP"], timeout=30) as server:
            server.send_message(mail)
    else:
        Path(app.instance_path, "outbox", f"{time.time_ns()}.eml").write_bytes(bytes(mail))


@autocron.delay(ttl=24 * 3600)
def import_addresses(text):
    counts = {"added": 0, "known": 0, "refused": 0}
    for row in filter(None, csv.reader(StringIO(text))):
        address = row[0].strip()
        time.sleep(current_app.config["SECONDS_PER_ADDRESS"])  # what a look-up of its domain takes
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
    context = {"count": count, "done": request.args.get("done"), "smtp": app.config["SMTP"]}
    return render_template("index.html", **context, **problems), 422 if problems else 200


@app.post("/subscribe")
def subscribe():
    address = request.form.get("address", "").strip()
    if not is_address(address):
        return index(address=address, address_problem="Write it as name@domain.org, please.")
    if token := add_reader(address, confirmed=False):
        link = url_for("confirm", token=token, _external=True)
        send_mail(address, "Please confirm", f"Open this link, and you are in:\n\n{link}\n")
    return redirect(url_for("index", done="subscribed"))


@app.get("/confirm/<token>")
def confirm(token):
    if not sql("UPDATE reader SET confirmed = 1 WHERE token = ? RETURNING address", token):
        abort(404)
    return redirect(url_for("index", done="confirmed"))


@app.post("/import")
def upload():
    file = request.files.get("addresses")
    text = file.read().decode("utf-8-sig", "replace") if file else ""
    if "@" not in text:
        return index(file_problem="Choose a CSV file with an address at the start of each line.")
    return redirect(url_for("show_import", job_id=import_addresses(text).id))


@app.get("/import/<job_id>")
def show_import(job_id):
    return render_template("import.html", job=autocron.result(job_id))


@app.get("/jobs")
def show_jobs():
    return render_template("jobs.html", jobs=autocron.jobs(limit=30), time=time)


@app.get("/outbox")
def show_outbox():
    files = sorted(Path(app.instance_path, "outbox").glob("*.eml"), reverse=True)[:20]
    mails = [message_from_bytes(file.read_bytes(), policy=policy.default) for file in files]
    return render_template("outbox.html", mails=mails, smtp=app.config["SMTP"])


@app.errorhandler(404)
@app.errorhandler(413)
@app.errorhandler(UnknownJob)
def explain(error):
    status = getattr(error, "code", 404)
    return render_template("error.html", status=status), status

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
from typing import Annotated

from fastapi import FastAPI, Form, HTTPException, Request, UploadFile
from fastapi.responses import RedirectResponse
from fastapi.staticfiles import StaticFiles
from fastapi.templating import Jinja2Templates

import autocron.asgi
from autocron.errors import UnknownJob

DATA = Path(__file__).with_name("data")
SHARED = Path(__file__).parent.parent / "shared"
SMTP = environ.get("NEWSLETTER_SMTP", "")  # such as localhost:25
SECONDS_PER_ADDRESS = float(environ.get("NEWSLETTER_SECONDS_PER_ADDRESS", "0.1"))
WORKERS = int(environ.get("NEWSLETTER_WORKERS", "2"))

app = FastAPI(lifespan=autocron.asgi.lifespan(DATA / "autocron.db", workers=WORKERS))
app.mount("/static", StaticFiles(directory=SHARED / "static"))
page = Jinja2Templates(SHARED / "templates").TemplateResponse


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
# Handlers that hand nothing over are plain functions, which FastAPI runs in threads.


@app.get("/")
def index(request: Request, done: str = ""):
    return first_page(request, done=done)


def first_page(request, *, status=200, **context):
    [(count,)] = sql("SELECT count(*) FROM reader WHERE confirmed")
    context |= {"count": count, "smtp": SMTP}
    return page(request, "index.html", context, status_code=status)


@app.post("/subscribe")
async def subscribe(request: Request, address: Annotated[str, Form()] = ""):
    address = address.strip()
    if not is_address(address):
        problem = {"address": address, "address_problem": "Write it as name@domain.org, please."}
        return await asyncio.to_thread(first_page, request, status=422, **problem)
    if token := await asyncio.to_thread(add_reader, address, confirmed=False):
        link = request.url_for("confirm", token=token)
        text = f"Open this link, and you are in:\n\n{link}\n"
        await send_mail(address, "Please confirm", text).stored()
    return RedirectResponse("/?done=subscribed", status_code=303)


@app.get("/confirm/{token}")
def confirm(token: str):
    if not sql("UPDATE reader SET confirmed = 1 WHERE token = ? RETURNING address", token):
        raise HTTPException(404)
    return RedirectResponse("/?done=confirmed")


@app.post("/import")
async def upload(request: Request, addresses: UploadFile | None = None):
    if addresses and addresses.size > 10**6:
        raise HTTPException(413)
    text = (await addresses.read()).decode("utf-8-sig", "replace") if addresses else ""
    if "@" not in text:
        problem = "Choose a CSV file with an address at the start of each line."
        return await asyncio.to_thread(first_page, request, status=422, file_problem=problem)
    result = import_addresses(text)
    await result.stored()  # another process may show its page
    return RedirectResponse(f"/import/{result.id}", status_code=303)


@app.get("/import/{job_id}")
def show_import(request: Request, job_id: str):
    return page(request, "import.html", {"job": autocron.result(job_id)})


@app.get("/jobs")
def show_jobs(request: Request):
    return page(request, "jobs.html", {"jobs": autocron.jobs(limit=30), "time": time})


@app.get("/outbox")
def show_outbox(request: Request):
    files = sorted(DATA.glob("outbox/*.eml"), reverse=True)[:20]
    mails = [message_from_bytes(file.read_bytes(), policy=policy.default) for file in files]
    return page(request, "outbox.html", {"mails": mails, "smtp": SMTP})


@app.exception_handler(404)
@app.exception_handler(413)
@app.exception_handler(UnknownJob)
def explain(request: Request, error: Exception):
    status = getattr(error, "status_code", 404)
    return page(request, "error.html", {"status": status}, status_code=status)

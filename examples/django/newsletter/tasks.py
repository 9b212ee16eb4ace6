"""What workers do. django_autocron imports this module, as it does `tasks` of every app."""

import csv
import time
from datetime import timedelta
from io import StringIO

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage
from django.core.validators import validate_email
from django.utils import timezone

import autocron

from .models import Reader

try:
    from django.tasks import task
    from django.tasks.exceptions import TaskResultDoesNotExist
except ImportError:  # Django 5.2 has no tasks of its own; the package django-tasks has the same
    from django_tasks import task
    from django_tasks.exceptions import TaskResultDoesNotExist

__all__ = ["TaskResultDoesNotExist", "import_addresses", "send_mail"]


@autocron.delay(retries=3, enqueue_on_commit=True)
def send_mail(to, subject, text):
    EmailMessage(subject, text, to=[to]).send()


@task
def import_addresses(text):
    counts = {"added": 0, "known": 0, "refused": 0}
    for row in filter(None, csv.reader(StringIO(text))):
        time.sleep(settings.SECONDS_PER_ADDRESS)  # what a look-up of its domain takes
        counts[import_address(row[0].strip().lower())] += 1
    return counts


def import_address(address):
    try:
        validate_email(address)
    except ValidationError:
        return "refused"
    _, is_new = Reader.objects.get_or_create(address=address, defaults={"confirmed": True})
    return "added" if is_new else "known"


@autocron.cron("0 8 * * 1")
def send_digest_on_mondays():
    text = "What happened this week: nothing was lost, and nobody had to look after it."
    addresses = Reader.objects.filter(confirmed=True).values_list("address", flat=True)
    send_mail.enqueue_many([(address, "Your digest of the week", text) for address in addresses])


@autocron.every(seconds=3600, start_now=True)
def forget_unconfirmed():
    two_days_ago = timezone.now() - timedelta(days=2)
    Reader.objects.filter(confirmed=False, since__lt=two_days_ago).delete()

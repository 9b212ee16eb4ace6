from datetime import datetime, timezone

from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.http import Http404
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

import autocron

from .forms import ImportForm, SignUpForm
from .models import Reader
from .outbox import latest_mails
from .tasks import TaskResultDoesNotExist, import_addresses, send_mail

WAITING, RUNNING = ("READY", "waiting", "Waiting"), ("RUNNING", "running", "Running")
DONE, FAILED = ("SUCCESSFUL", "done", "Done"), ("FAILED", "error", "Failed")


def index(request):
    return first_page(request)


def first_page(request, *, status=200, **forms):
    context = {
        "sign_up": SignUpForm(),
        "upload": ImportForm(),
        "count": Reader.objects.filter(confirmed=True).count(),
    }
    return render(request, "newsletter/index.html", context | forms, status=status)


@require_POST
@transaction.atomic  # if anything fails here, there is no reader, and no mail goes out
def subscribe(request):
    form = SignUpForm(request.POST)
    if not form.is_valid():
        return first_page(request, sign_up=form, status=422)
    address = form.cleaned_data["address"]
    reader, is_new = Reader.objects.get_or_create(address=address.lower())
    if is_new:
        link = request.build_absolute_uri(reverse("confirm", args=[reader.token]))
        send_mail(address, "Please confirm", f"Open this link, and you are in:\n\n{link}\n")
    messages.success(request, "A mail with a link is on its way to you.", "Nearly there.")
    return redirect("index")


def confirm(request, token):
    reader = get_object_or_404(Reader, token=token)
    reader.confirmed = True
    reader.save()
    messages.success(request, "The next digest comes on Monday at eight.", "You are in.")
    return redirect("index")


@require_POST
def upload(request):
    form = ImportForm(request.POST, request.FILES)
    if not form.is_valid():
        status = 413 if form.has_error("addresses", "too_large") else 422
        return first_page(request, upload=form, status=status)
    result = import_addresses.enqueue(form.cleaned_data["addresses"])
    return redirect("show_import", result.id)


def show_import(request, job_id):
    try:
        result = import_addresses.get_result(job_id)
    except TaskResultDoesNotExist as error:
        raise Http404 from error
    steps = [WAITING, RUNNING, FAILED if result.status == "FAILED" else DONE]
    return render(request, "newsletter/import.html", {"result": result, "steps": steps})


def show_outbox(request):
    mails = [] if settings.SMTP else latest_mails()
    return render(request, "newsletter/outbox.html", {"mails": mails, "smtp": settings.SMTP})


def show_jobs(request):
    jobs = [describe(job) for job in autocron.jobs(limit=30)]
    return render(request, "newsletter/jobs.html", {"jobs": jobs})


def describe(job):
    has_run = job.started_at and job.finished_at
    return {
        "name": job.task.rpartition(".")[2].replace("_", " "),
        "is_scheduled": job.schedule is not None,
        "status": job.status.value,
        "error": job.error,
        "enqueued": datetime.fromtimestamp(job.enqueued_at, timezone.utc),
        "seconds": job.finished_at - job.started_at if has_run else None,
    }

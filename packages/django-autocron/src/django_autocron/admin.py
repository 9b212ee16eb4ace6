"""The pages in Django's admin, on the default site; imported by the admin only."""

from __future__ import annotations

from django.contrib import admin

from django_autocron.models import Job, Schedule, Worker
from django_autocron.pages.jobs import JobAdmin
from django_autocron.pages.schedules import ScheduleAdmin
from django_autocron.pages.workers import WorkerAdmin

__all__ = ["JobAdmin", "ScheduleAdmin", "WorkerAdmin"]

admin.site.register(Job, JobAdmin)
admin.site.register(Schedule, ScheduleAdmin)
admin.site.register(Worker, WorkerAdmin)

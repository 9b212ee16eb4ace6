"""What Django makes permissions of, and lists on the admin's index: there is no table, and no query.

Jobs, schedules and workers are kept by autocron. Its pages in the admin ask for them there, and need of a
model no more than its name.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _


class NothingManager(models.Manager[Any]):
    """Finds nothing, and asks no database for it: all that goes through every model may go through these."""

    def get_queryset(self) -> models.QuerySet[Any]:
        """Return no rows."""
        nothing: models.QuerySet[Any] = super().get_queryset().none()
        return nothing


class Job(models.Model):
    """One call of a task. `django_autocron.delete_job` lets it be deleted, `change_job` retried and cancelled."""

    id: models.CharField[str, str] = models.CharField(primary_key=True, max_length=64)
    task: models.CharField[str, str] = models.CharField(max_length=1024)

    objects: ClassVar[NothingManager] = NothingManager()

    class Meta:  # noqa: D106  # what it is, Django says
        managed = False
        base_manager_name = "objects"
        default_permissions = ("view", "change", "delete")
        verbose_name = _("job")
        verbose_name_plural = _("jobs")

    def __str__(self) -> str:
        return f"{self.task} ({self.id})"


class Schedule(models.Model):
    """A rule by which a task recurs. `change_schedule` lets it be paused, resumed and run now."""

    name: models.CharField[str, str] = models.CharField(primary_key=True, max_length=1024)

    objects: ClassVar[NothingManager] = NothingManager()

    class Meta:  # noqa: D106  # what it is, Django says
        managed = False
        base_manager_name = "objects"
        default_permissions = ("view", "change")
        verbose_name = _("schedule")
        verbose_name_plural = _("schedules")

    def __str__(self) -> str:
        return self.name


class Worker(models.Model):
    """A process that runs jobs."""

    number: models.CharField[str, str] = models.CharField(primary_key=True, max_length=16)

    objects: ClassVar[NothingManager] = NothingManager()

    class Meta:  # noqa: D106  # what it is, Django says
        managed = False
        base_manager_name = "objects"
        default_permissions = ("view",)
        verbose_name = _("worker")
        verbose_name_plural = _("workers")

    def __str__(self) -> str:
        return self.number

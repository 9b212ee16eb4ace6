"""Which jobs are asked for: by the filters beside the list, and by the field above it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import overload

from django.contrib.admin.views.main import SEARCH_VAR
from django.http import QueryDict
from django.utils.functional import cached_property

from autocron.model import Job, JobStatus
from autocron.model_admin import EVERY_JOB, Selection
from autocron.stores.protocol import AdminStore

STATE, TASK, QUEUE = "state", "task", "queue"

MOST_BY_ID = 100
"""How many jobs are found by a part of their ids at most."""

_LONGEST = 200
_PART_OF_ID = re.compile(r"[0-9a-f-]{4,36}", re.IGNORECASE)


class Found(Sequence[Job]):
    """The jobs that are asked for, newest first: read from the store a page at a time.

    Args:
        store: where they are.
        query: the parameters of the page's address.
    """

    def __init__(self, store: AdminStore, query: QueryDict) -> None:
        self._store = store
        self._selection = selection_of(query)
        self._named: list[Job] | None = None
        part = query.get(SEARCH_VAR, "").strip()
        if _PART_OF_ID.fullmatch(part):
            ids = store.find_ids(part.lower(), MOST_BY_ID)
            found = filter(None, map(store.get, ids))
            self._named = sorted(
                filter(self._is_meant, found), key=lambda job: job.enqueued_at, reverse=True
            )
            if ids:
                return
            self._named = None  # such as "feed", which may as well be of a task's name
        if part:
            self._selection = replace(self._selection, task=f"*{_any_case(part[:_LONGEST])}*")

    @cached_property
    def counts(self) -> dict[JobStatus, int]:
        """How many jobs there are of each state, whatever is asked for."""
        return self._store.counts()

    def _is_meant(self, job: Job) -> bool:
        wanted = self._selection
        return (
            (not wanted.statuses or job.status in wanted.statuses)
            and (wanted.queue is None or job.queue == wanted.queue)
            and (wanted.task is None or wanted.task == _literal(job.task))
        )

    def __len__(self) -> int:
        if self._named is not None:
            return len(self._named)
        if self._selection == EVERY_JOB:
            return sum(self.counts.values())
        return self._store.count(self._selection)

    @overload
    def __getitem__(self, index: int) -> Job: ...

    @overload
    def __getitem__(self, index: slice) -> list[Job]: ...

    def __getitem__(self, index: int | slice) -> Job | list[Job]:
        if self._named is not None:
            return self._named[index]
        if isinstance(index, int):
            return self._store.latest(1, self._selection, index)[0]
        start = index.start or 0
        return self._store.latest(index.stop - start, self._selection, start)

    def ids(self, until: float | None = None) -> list[str]:
        """Return the ids of all of them that were put in before some time."""
        if self._named is not None:
            return [job.id for job in self._named]
        return self._store.ids(replace(self._selection, until=until))


def selection_of(query: QueryDict) -> Selection:
    """Return what is chosen beside the list; a state that there is not is none."""
    state = query.get(STATE, "")
    task = query.get(TASK)
    return Selection(
        statuses=(JobStatus(state),) if state in list(JobStatus) else (),
        task=_literal(task) if task else None,
        queue=query.get(QUEUE) or None,
    )


def _literal(name: str) -> str:
    """Return the pattern of a name."""
    return re.sub(r"[\[?*]", lambda match: f"[{match[0]}]", name)


def _any_case(text: str) -> str:
    """Return the pattern of a part of a name, whether it has capitals or not; `*` stands for anything."""
    return "".join(
        f"[{char.lower()}{char.upper()}]"
        if char.isalpha()
        else f"[{char}]"
        if char in "[?"
        else char
        for char in text
    )

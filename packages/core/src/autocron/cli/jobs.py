"""The verbs that change jobs: those that are named, or all that are chosen."""

from __future__ import annotations

from argparse import Namespace
from collections import Counter
from collections.abc import Callable, Sequence

from autocron.administration import actions
from autocron.administration.database import Opened
from autocron.cli.output import Report, Text
from autocron.cli.selecting import confirm, has_filter, selection_of
from autocron.errors import CommandError
from autocron.model import JobStatus


def _chosen(
    database: Opened, arguments: Namespace, statuses: Sequence[JobStatus], what: str
) -> list[str]:
    """Return the ids of the jobs that are meant, and are to be asked about if they were not named.

    Args:
        database: where they are.
        arguments: name them, or choose them.
        statuses: which are chosen if nothing is said of it, and may be.
        what: what happens to them.
    """
    if arguments.ids:
        if has_filter(arguments) or arguments.all:
            raise CommandError(reason="name jobs by their ids, or choose them, but not both")
        return [database.job(part).id for part in arguments.ids]
    if not (has_filter(arguments) or arguments.all):
        reason = "which jobs? Name them by their ids, choose them with --status, --task, --queue, --since or --until, or say --all"
        raise CommandError(reason=reason)
    unfit = [status for status in arguments.status or () if status not in statuses]
    if unfit:
        raise CommandError(
            reason=f"jobs that are {unfit[0]} cannot be meant, only {', '.join(statuses)}"
        )
    ids = database.store.ids(selection_of(arguments, statuses))
    if ids:
        confirm(arguments, f"{_count(len(ids))} will {what}")
    return ids


def _count(number: int) -> str:
    return "1 job" if number == 1 else f"{number} jobs"


# cancel ---------------------------------------------------------------------------------------


def cancel_jobs(database: Opened, arguments: Namespace) -> Report:
    """Have jobs that wait not run, and ask those that are running to stop."""
    what = "be cancelled, and stopped if running" if arguments.force else "be cancelled"
    ids = _chosen(database, arguments, actions.UNENDED, what)
    statuses = actions.cancel(database, ids, force=arguments.force)
    says = {
        JobStatus.CANCELLED: "is cancelled",
        JobStatus.RUNNING: "is being stopped"
        if arguments.force
        else "is running, and asked to stop",
    }
    return _told(statuses, lambda status: says.get(status, f"has ended before, as {status}"))


def _told(statuses: dict[str, JobStatus | None], say: Callable[[JobStatus], str]) -> Report:
    """Return what became of jobs, some of which may have been deleted meanwhile."""
    data = [{"job": job_id, "status": status} for job_id, status in statuses.items()]
    if not statuses:
        return Report(data, [Text("No such jobs.")])
    if len(statuses) == 1:
        ((job_id, status),) = statuses.items()
        return Report(data, [Text(f"{job_id} {say(status) if status else 'is gone'}.")])
    counts = Counter(say(status) if status else "is gone" for status in statuses.values())
    lines = [f"{_count(count)} {_of_several(words)}." for words, count in counts.items()]
    return Report(data, [Text("\n".join(lines))])


def _of_several(words: str) -> str:
    return words.replace("is ", "are ", 1).replace("has ", "have ", 1).replace("waits", "wait", 1)


# retry ----------------------------------------------------------------------------------------


def retry_jobs(database: Opened, arguments: Namespace) -> Report:
    """Let jobs that have failed or were cancelled begin anew, with all their retries."""
    ids = _chosen(database, arguments, actions.FAILED, "begin anew")
    if arguments.ids:  # all of them, or none
        actions.check_retryable(database, ids)
    begun = actions.retry(database, ids)
    statuses: dict[str, JobStatus | None] = dict.fromkeys(begun, JobStatus.WAITING)
    return _told(statuses, lambda _: "waits to be run")


# delete and purge -----------------------------------------------------------------------------


def delete_jobs(database: Opened, arguments: Namespace) -> Report:
    """Delete jobs, whatever their status, but for those that are running."""
    ids = _chosen(database, arguments, actions.DELETABLE, "be deleted")
    return _delete(database, ids, actions.DELETABLE)


def purge_jobs(database: Opened, arguments: Namespace) -> Report:
    """Delete all jobs that have ended, or those that were put in before some time."""
    arguments.ids, arguments.all = [], True
    ids = _chosen(database, arguments, actions.ENDED, "be deleted")
    return _delete(database, ids, actions.ENDED)


def _delete(database: Opened, ids: Sequence[str], statuses: Sequence[JobStatus]) -> Report:
    count = actions.delete(database, ids, statuses)
    text = f"{_count(count)} deleted." if ids else "No such jobs."
    left = len(ids) - count
    if left:
        text += f"\n{_count(left)} left: running, or gone already. Cancel what is running first."
    return Report({"deleted": count, "left": left}, [Text(text)])

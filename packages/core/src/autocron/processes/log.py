"""All wording of log lines: what each event looks like under the logger `autocron`."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from typing import Any

from autocron import events
from autocron.settings import LogLevel

LOGGER = logging.getLogger("autocron")

LINES: dict[str, tuple[int, str]] = {
    "app.not_started": (
        logging.WARNING,
        (
            "autocron is not started in this process, so calls are only kept in its memory, %(count)d "
            "by now (%(tasks)s): call autocron.start(), or set up your framework's extension"
        ),
    ),
    "app.never_started": (
        logging.WARNING,
        (
            "this process ends without having started autocron, so calls made in it will not run, "
            "%(count)d in all (%(tasks)s): call autocron.start(), or set up your framework's extension"
        ),
    ),
    "app.not_flushed": (
        logging.ERROR,
        "this process ends before all calls could be stored: %(count)d of them will not run",
    ),
    "app.store_failed": (
        logging.ERROR,
        "calls could not be stored, %(count)d in all (%(tasks)s): %(error)s",
    ),
    "app.store_works": (
        logging.WARNING,
        "calls are stored again after %(seconds).0f s, in which %(count)d could not be stored",
    ),
    "app.settings_wrong": (
        logging.ERROR,
        "of what was set with the tool this is left out, since it cannot be used: %(error)s",
    ),
    "app.restart_failed": (logging.ERROR, "workers cannot be replaced just now: %(error)s"),
    "app.listener_failed": (
        logging.ERROR,
        "waiting for jobs: %(error)s; trying again until it works",
    ),
    "app.listener_works": (logging.WARNING, "waiting for jobs works again after %(seconds).0f s"),
    "store.replaced": (
        logging.WARNING,
        "%(database)s is another file than before, which is used from now on",
    ),
    "store.log_set_aside": (
        logging.WARNING,
        (
            "the log of a database that was %(database)s before is kept as %(kept)s: it may have jobs that "
            "the other file, wherever it is now, does not have; remove it if you do not need them"
        ),
    ),
    "app.supervisor_started": (logging.DEBUG, "supervisor started (pid %(pid)d)"),
    "app.supervisor_failed": (
        logging.ERROR,
        "the supervisor could not be started: %(error)s; trying again until it works",
    ),
    "app.supervisor_works": (
        logging.WARNING,
        "the supervisor could be started after %(seconds).0f s",
    ),
    "app.orders_failed": (
        logging.ERROR,
        "the supervisor cannot be told of this process: %(error)s; trying again until it works",
    ),
    "app.orders_given": (
        logging.WARNING,
        "the supervisor has been told of this process after %(seconds).0f s",
    ),
    "app.no_lifespan": (
        logging.INFO,
        "the app knows nothing of ASGI's lifespan, and does without: %(error)s",
    ),
    "app.task_not_noted": (
        logging.WARNING,
        (
            "workers cannot be told of the task %(task)s: %(error)s; if they have not imported its module, its "
            "jobs fail"
        ),
    ),
    "supervisor.orders_failed": (
        logging.ERROR,
        "supervisor: what the newest process wants cannot be read, so all stays as it is: %(error)s",
    ),
    "supervisor.settings_wrong": (
        logging.ERROR,
        "supervisor: of what was set with the tool this is left out, since it cannot be used: %(error)s",
    ),
    "supervisor.settings_changed": (logging.INFO, "supervisor: settings were changed"),
    "supervisor.restarting": (logging.INFO, "supervisor: workers are replaced, as was asked for"),
    "supervisor.started": (logging.INFO, "supervisor runs (pid %(pid)d) for %(database)s"),
    "supervisor.draining": (logging.INFO, "supervisor: %(reason)s, so workers finish and end"),
    "supervisor.resumed": (logging.INFO, "supervisor: the app is back, so workers go on"),
    "supervisor.ended": (logging.INFO, "supervisor ended (pid %(pid)d)"),
    "supervisor.failed": (
        logging.ERROR,
        "supervisor: %(error)s; trying again until it works",
    ),
    "supervisor.output_failed": (
        logging.ERROR,
        "supervisor: output cannot go to %(file)s (%(error)s), so it goes where it went before",
    ),
    "supervisor.works": (
        logging.WARNING,
        "supervisor: %(database)s works again after %(seconds).0f s",
    ),
    "worker.started": (logging.INFO, "worker %(number)d started (pid %(pid)d)"),
    "worker.ready": (logging.INFO, "worker %(number)d is ready (pid %(pid)d)"),
    "worker.ended": (logging.INFO, "worker %(number)d ended (pid %(pid)d)"),
    "worker.crashed": (
        logging.ERROR,
        "worker %(number)d (pid %(pid)d) %(reason)s; a new one starts in %(pause).1f s",
    ),
    "worker.not_loaded": (
        logging.INFO,
        "worker %(number)d (pid %(pid)d) has ended; a new one tries again in %(pause).1f s",
    ),
    "worker.killed": (
        logging.WARNING,
        "worker %(number)d (pid %(pid)d) did not end in time and was killed; its job was given back",
    ),
    "worker.killed_for_job": (
        logging.WARNING,
        "worker %(number)d (pid %(pid)d) was killed, since job %(id)s did not end when it was told to",
    ),
    "worker.retired": (logging.INFO, "worker %(number)d is replaced by a new one: %(reason)s"),
    "worker.load_failed": (
        logging.ERROR,
        "worker %(number)d cannot import the app; jobs wait until it can:\n%(traceback)s",
    ),
    "worker.load_failed_again": (
        logging.ERROR,
        "worker %(number)d cannot import the app either; jobs wait until it can: %(error)s",
    ),
    "worker.outdated": (logging.INFO, "worker %(number)d ends, since %(file)s has changed"),
    "worker.store_failed": (
        logging.ERROR,
        "worker %(number)d: %(error)s; trying again until it works",
    ),
    "worker.store_works": (
        logging.WARNING,
        "worker %(number)d: the database works again after %(seconds).0f s",
    ),
    "worker.store_given_up": (logging.ERROR, "worker %(number)d ends: %(error)s"),
    "job.enqueued": (
        logging.DEBUG,
        "job %(id)s (%(task)s) enqueued in the queue %(queue)s, due %(due)s",
    ),
    "job.started": (logging.DEBUG, "job %(id)s (%(task)s) started, attempt %(attempt)d"),
    "job.done": (logging.INFO, "job %(id)s (%(task)s) done in %(seconds).3f s"),
    "job.failed": (logging.ERROR, "job %(id)s (%(task)s) failed: %(error)s\n%(traceback)s"),
    "job.retrying": (
        logging.WARNING,
        "job %(id)s (%(task)s) failed: %(error)s; attempt %(next)d in %(pause).0f s",
    ),
    "job.lost": (
        logging.WARNING,
        "job %(id)s (%(task)s) was taken from this worker, so its outcome is dropped",
    ),
    "job.released": (logging.INFO, "job %(id)s (%(task)s) was given back, and will begin anew"),
    "job.cancel_requested": (logging.INFO, "job %(id)s (%(task)s) is running, and asked to stop"),
    "job.renewed": (logging.INFO, "job %(id)s was let begin anew"),
    "job.cancelled": (logging.INFO, "job %(id)s (%(task)s) is cancelled"),
    "schedule.fired": (logging.DEBUG, "schedule %(name)s is due (%(due)s): job %(id)s"),
    "schedule.skipped": (
        logging.INFO,
        "schedule %(name)s is due (%(due)s), but is skipped: %(reason)s",
    ),
    "schedule.missed": (logging.WARNING, "schedule %(name)s was due (%(due)s): %(reason)s"),
    "schedule.retired": (
        logging.WARNING,
        "schedule %(name)s is retired: the code does not have it any more",
    ),
    "clock.set": (
        logging.WARNING,
        "the clock was set by %(seconds)+.0f s: delays last as long as before, schedules go by the new time",
    ),
    "schedule.failed": (logging.ERROR, "schedule %(name)s cannot be used: %(error)s"),
}


def write(name: str, details: Mapping[str, Any]) -> None:
    """Write the log line of an event; `extra` holds its name and details for structured logs."""
    level, words = LINES[name]
    if LOGGER.isEnabledFor(level):
        extra = {"autocron_event": name, "autocron": dict(details)}
        LOGGER.log(level, words, dict(details), extra=extra)


def is_logged(name: str) -> bool:
    """Whether an event makes a log line, as loggers are configured now."""
    return LOGGER.isEnabledFor(LINES[name][0])


def start_logging() -> None:
    """Have events logged in this process; twice does no harm. Configures no handler."""
    events.subscribe(write, wants=is_logged)


class _LastResort(logging.Handler):
    """Writes to what is standard error at that moment, unless the application has configured handlers."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(
            logging.Formatter("%(asctime)s %(levelname)s %(name)s[%(process)d]: %(message)s")
        )
        self.addFilter(_is_ours_or_warns)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stderr.write(f"{self.format(record)}\n")
            sys.stderr.flush()
        except Exception:  # the application's own arguments, or its own stream
            self.handleError(record)


def _is_ours_or_warns(record: logging.LogRecord) -> bool:
    """Whether it is of autocron, or would be seen as well if there were no autocron."""
    return record.name == LOGGER.name or record.levelno >= logging.WARNING


def log_in_own_process(level: LogLevel) -> None:
    """Have a supervisor or worker log from a level on, with time and level, if nothing else is configured.

    To be called before the application is imported, so that whatever it configures wins; and again
    when the setting has changed. Never in a process of the application.
    """
    if not isinstance(logging.lastResort, _LastResort):
        logging.lastResort = _LastResort()
    # The default is that of Python, with the difference that the application may choose another for all loggers.
    LOGGER.setLevel(logging.NOTSET if level == "warning" else level.upper())

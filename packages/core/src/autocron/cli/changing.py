"""The verbs that change settings and the running system, and what is done with the database as a whole."""

from __future__ import annotations

import os
import shutil
from argparse import Namespace
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from autocron.administration.database import Opened
from autocron.cli.output import Report, Text, clean
from autocron.cli.selecting import confirm
from autocron.errors import CommandError, SettingsError, StoreBusy
from autocron.processes.folder import RuntimeFolder
from autocron.processes.locks import is_held
from autocron.settings import Source, load_settings, read_setting

_NOW = "The running system takes that over within a second."
_LATER = "Nothing runs now; it is in force from the next start on."


# Settings -------------------------------------------------------------------------------------


def change_setting(database: Opened, arguments: Namespace) -> Report:
    """Set a setting; it wins over the application's configuration."""
    name = arguments.key
    try:
        value = read_setting(name, arguments.value, Source.ADMIN)
    except ValueError as error:
        raise SettingsError([str(error)]) from None
    load_settings({"database": database.path}, {name: value})  # it may not fit the database
    return _change(database, {name: value}, f"{name} = {clean(value)}")


def unset_setting(database: Opened, arguments: Namespace) -> Report:
    """Leave a setting to the application again."""
    name = arguments.key
    if name not in database.store.settings():  # one that a newer version has set is known, too
        raise SettingsError([f"{name} has not been set by the tool"])
    return _change(database, {name: None}, f"{name} is what the application says.")


def reset_settings(database: Opened, _arguments: Namespace) -> Report:
    """Leave all settings to the application again; say which had been set."""
    changed = database.store.settings()
    if not changed:
        return Report({}, [Text("Nothing has been set by the tool.")])
    lines = [
        f"{name} was {clean(value)}, and is what the application says."
        for name, value in changed.items()
    ]
    return _change(database, dict.fromkeys(changed), "\n".join(lines))


def enable(database: Opened, _arguments: Namespace) -> Report:
    """Let jobs and schedules run again, after `disable`."""
    configured = database.configured
    app_is_enabled = configured is None or configured.settings.enabled
    # Left to the application if that comes to the same, so that its own configuration counts later on.
    value = None if app_is_enabled else True
    return _change(database, {"enabled": value}, "autocron is enabled.")


def disable(database: Opened, _arguments: Namespace) -> Report:
    """Have delayed functions run in their callers, and no job or schedule begin; the app's code stays as it is."""
    return _change(database, {"enabled": False}, "autocron is disabled.")


def _change(database: Opened, changes: Mapping[str, Any], text: str) -> Report:
    database.store.change_settings(changes)
    database.tell_all_of_settings()
    return Report(dict(changes), [Text(f"{text}\n{_NOW if database.runs else _LATER}")])


# The running system ---------------------------------------------------------------------------


def restart(database: Opened, _arguments: Namespace) -> Report:
    """Replace all workers by new ones, each after the job that it is running."""
    if not database.runs:
        raise CommandError(reason="nothing runs that could be restarted: start the application")
    database.store.ask_for_restart()
    database.tell_supervisor()
    text = "Workers are replaced; each of them finishes its job first."
    return Report({"restart": True}, [Text(text)])


# The database ---------------------------------------------------------------------------------


def backup(database: Opened, arguments: Namespace) -> Report:
    """Write a copy of the database, as it is at one moment, while all goes on."""
    target = Path(arguments.file).absolute()
    try:
        # Private, whatever the umask: it holds all that the database does.
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        raise CommandError(
            reason=f"{target} is there already: name a new file, or remove it"
        ) from None
    except OSError as error:
        raise CommandError(reason=f"{target} cannot be made ({error.strerror})") from None
    try:
        database.store.backup(target)
    except BaseException:  # Ctrl-C as well: what looks like a backup must be one
        with suppress(OSError):
            target.unlink()
        raise
    size = target.stat().st_size
    return Report({"file": str(target), "bytes": size}, [Text(f"{target} written, {size} bytes.")])


def delete_database(database: Opened, arguments: Namespace) -> Report:
    """Delete the database with all its jobs, and its run-time files; asks first, and only if nothing runs."""
    foreign = database.store.foreign_tables()
    if foreign:
        reason = f"{database.path} has tables of another program, too ({', '.join(foreign)}): nothing was deleted"
        raise CommandError(reason=reason)
    _check_nothing_runs(database.folder)
    count = sum(database.store.counts().values())
    confirm(arguments, f"{database.path} and the {count} jobs in it will be deleted")
    _check_nothing_runs(database.folder)  # it may have been started since
    try:
        is_removed = database.store.remove(expected=count)
    except StoreBusy:
        raise CommandError(reason=f"another process uses {database.path}: end it first") from None
    if not is_removed:
        raise CommandError(reason="there are other jobs than just now, so nothing was deleted")
    if database.folder.path.exists():
        shutil.rmtree(database.folder.path)
    return Report({"deleted": str(database.path)}, [Text(f"{database.path} is deleted.")])


def _check_nothing_runs(folder: RuntimeFolder) -> None:
    if is_held(folder.apps_lock) or is_held(folder.supervisor_lock):
        raise CommandError(reason="the application runs: stop it first, with all its processes")

"""The settings: one frozen dataclass, one loader, and for each value the place it comes from."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

from autocron.clock import HUNDRED_YEARS
from autocron.errors import SettingsError, nearest, shown
from autocron.model import DEFAULT_TTL, StrEnum
from autocron.zones import zone_name

MAX_WORKERS = 64

Durability: TypeAlias = Literal["full", "normal"]
Handover: TypeAlias = Literal["auto", "wait", "background"]
LogLevel: TypeAlias = Literal["debug", "info", "warning", "error"]


class Source(StrEnum):
    """Where the value of a setting comes from; later members win over earlier ones."""

    DEFAULT = "default"
    APP = "app"
    ADMIN = "admin"


# What a value may be: each function returns the value to be used, or raises ValueError with
# the end of a sentence that begins with the name of the setting.


def _whole_number(low: int, high: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit():
            value = int(value)
        if type(value) is not int or not low <= value <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return value

    return read


def _seconds(low: float, high: float) -> Callable[[Any], float]:
    def read(value: Any) -> float:
        try:
            number = math.nan if isinstance(value, bool) else float(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if not low <= number <= high:
            raise ValueError(f"must be a number of seconds from {low:g} to {high:.0f}")
        return number

    return read


def _switch(value: Any) -> bool:
    words = {"true": True, "yes": True, "on": True, "1": True}
    words |= {"false": False, "no": False, "off": False, "0": False}
    if isinstance(value, str) and value.strip().lower() in words:
        return words[value.strip().lower()]
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def _one_of(*choices: str) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if value not in choices:
            raise ValueError("must be one of " + ", ".join(map(repr, choices)))
        return str(value)

    return read


def _database(value: Any) -> Path:
    if not isinstance(value, str | os.PathLike) or not isinstance(os.fspath(value), str):
        raise ValueError("must be the path of a file, as a string or a Path")
    if not os.fspath(value).strip():
        raise ValueError("must not be empty")
    if "\0" in os.fspath(value):
        raise ValueError("must not contain a NUL character")
    if os.fspath(value) == ":memory:":
        raise ValueError("must be a file: worker processes cannot share a database in memory")
    if "://" in os.fspath(value):
        raise ValueError("must be the path of a file, and not a URL")
    return Path(value).absolute()


def _log_file(value: Any) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str | os.PathLike) or not isinstance(os.fspath(value), str):
        raise ValueError("must be the path of a file, as a string or a Path")
    if not os.fspath(value).strip() or os.path.basename(value) in ("", ".", ".."):
        raise ValueError("must be the path of a file, and not of a folder")
    if "\0" in os.fspath(value):
        raise ValueError("must not contain a NUL character")
    return os.fspath(value)


def _timezone(value: Any) -> str | None:
    return None if value is None else zone_name(value)


def _interpreter(value: Any) -> str | None:
    if value is not None and (not isinstance(value, str) or not os.access(value, os.X_OK)):
        raise ValueError("must be the path of a Python interpreter that can be executed")
    return value


def _setting(
    read: Callable[[Any], Any], default: Any, *, admin: bool = True, of_worker: bool = False
) -> Any:
    metadata = {"read": read, "admin": admin, "of_worker": of_worker}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All settings of autocron. Times are in seconds.

    Example:
        >>> settings = load_settings({"database": "project.db", "workers": 2}).settings
        >>> settings.workers, settings.durability, settings.ttl
        (2, 'full', 1800.0)
    """

    database: Path = field(metadata={"read": _database, "admin": False, "of_worker": True})
    """The SQLite file; it and its folder of run-time files are made when missing."""

    workers: int = _setting(_whole_number(1, MAX_WORKERS), 1)
    """How many worker processes run jobs, 1 to 64."""

    durability: Durability = _setting(_one_of("full", "normal"), "full", of_worker=True)
    """What a stored job survives: `"full"` also power loss, `"normal"` any crash of a process."""

    autostart: bool = _setting(_switch, True, admin=False)
    """Whether `start()` sees to it that there are worker processes, or only connects."""

    enabled: bool = _setting(_switch, True)
    """Off: delayed functions run in the caller, and there are no workers."""

    handover: Handover = _setting(_one_of("auto", "wait", "background"), "auto")
    """Whether a call returns when its job is stored (`"wait"`), or leaves that to a thread
    (`"background"`); `"auto"` waits unless the call is made in an event loop."""

    enqueue_on_commit: bool = _setting(_switch, False, admin=False)
    """Whether a call in a transaction of the framework's database is stored when that commits, unless the
    task says otherwise; without a framework that has one, there is nothing to wait for."""

    ttl: float = _setting(_seconds(0, HUNDRED_YEARS), DEFAULT_TTL, of_worker=True)
    """For how long the outcome of a job is kept, unless the task says otherwise."""

    timezone: str | None = _setting(_timezone, None, of_worker=True)
    """The time zone of schedules that do not name one, such as `"Europe/Berlin"`; None for the machine's."""

    shutdown_timeout: float = _setting(_seconds(0, 3600), 8.0, of_worker=True)
    """For how long running jobs may go on when the app has ended; then they are given back."""

    kill_after: float = _setting(_seconds(0, 3600), 5.0)
    """For how long a job may go on that was told to end, at its time limit or when it is cancelled by
    force; then its worker is killed."""

    crash_limit: int = _setting(_whole_number(1, 1000), 3)
    """After how many workers that died of it a job is not tried again."""

    max_jobs_per_worker: int = _setting(_whole_number(0, 1_000_000_000), 0, of_worker=True)
    """After how many jobs a worker is replaced by a new one; 0 for never."""

    max_memory_per_worker: int = _setting(_whole_number(0, 1_000_000), 0, of_worker=True)
    """Above how much memory, in megabytes, a worker is replaced after its job; 0 for no limit."""

    busy_timeout: float = _setting(_seconds(0.01, 3600), 30.0, of_worker=True)
    """For how long to wait for another program's lock on the database."""

    check_interval: float = _setting(_seconds(1, 3600), 30.0, of_worker=True)
    """After how long without a wake-up an idle process looks for work all the same."""

    log_file: str | None = _setting(_log_file, None, of_worker=True)
    """The file that the output of supervisor and workers goes to; a relative path starts at the database's
    folder. None for where the output of the app goes."""

    log_level: LogLevel = _setting(_one_of(*get_args(LogLevel)), "warning", of_worker=True)
    """From which level on supervisor and workers log what happens, unless the app configures logging."""

    python: str | None = _setting(_interpreter, None, admin=False, of_worker=True)
    """The interpreter for worker processes; None for the one that runs the app."""


class LoadedSettings(NamedTuple):
    """Settings, and for each of their names where the value comes from."""

    settings: Settings
    sources: dict[str, Source]

    def values_of(self, source: Source) -> dict[str, Any]:
        """Return the values that come from one place, by name."""
        names = [name for name, found in self.sources.items() if found is source]
        return {name: getattr(self.settings, name) for name in names}


_FIELDS = {field.name: field for field in fields(Settings)}


def settings_of_worker(settings: Settings) -> dict[str, Any]:
    """Return what a worker reads once, when it starts: other values need another worker."""
    names = [name for name, field in _FIELDS.items() if field.metadata["of_worker"]]
    return {name: getattr(settings, name) for name in names}


def load_settings(
    app: Mapping[str, Any], admin: Mapping[str, Any] | None = None, *, prefix: str = ""
) -> LoadedSettings:
    """Return the settings that follow from defaults, the app's configuration and the admin's.

    Args:
        app: what the application configures, by name; must contain `database`.
        admin: what an administrator set with the tool; wins over `app`.
        prefix: what a framework puts before the names (`AUTOCRON_`), or around them (`AUTOCRON["{}"]`), for
            the messages.

    Raises:
        SettingsError: names each setting that is unknown or wrong, all at once.

    Example:
        >>> load_settings({"database": "project.db", "worker": 2})
        Traceback (most recent call last):
        autocron.errors.SettingsError: unknown setting worker (did you mean workers?)
    """
    problems: list[str] = []
    values: dict[str, Any] = {}
    sources = dict.fromkeys(_FIELDS, Source.DEFAULT)
    for source, given in ((Source.APP, app), (Source.ADMIN, admin or {})):
        for name, value in given.items():
            try:
                values[name] = read_setting(name, value, source, prefix)
                sources[name] = source
            except ValueError as error:
                problems.append(str(error))
    if "database" not in app:
        problems.append(_name(prefix, "database") + " is missing: name the file to keep jobs in")
    if problems:
        raise SettingsError(problems)
    settings = Settings(**values)
    if settings.log_file is not None and _is_of_database(settings):
        reason = "must be another file than those of the database"
        name = _name(prefix, "log_file")
        raise SettingsError([f"{name}={shown(settings.log_file)}: {reason}"])
    return LoadedSettings(settings, sources)


def _is_of_database(settings: Settings) -> bool:
    """Whether the log would be written to the database, its own log, or among the run-time files."""
    database = os.path.realpath(settings.database)
    file = os.path.realpath(settings.database.parent / str(settings.log_file))
    own = {database + ending for ending in ("", "-wal", "-shm", "-journal")}
    return file in own or file.startswith(f"{database}.autocron{os.sep}")


def usable_settings(
    app: Mapping[str, Any], admin: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """Return of what an administrator has set what can be used, and what is wrong with the rest.

    A newer version may have set it: that is no reason for all to stand still.

    Args:
        app: what the application configures, which can be used.
        admin: what is stored, by name.

    Example:
        >>> usable_settings({"database": "project.db"}, {"workers": 2, "shiny": True, "ttl": -1})[0]
        {'workers': 2}
    """
    kept: dict[str, Any] = {}
    problems: list[str] = []
    for name, value in admin.items():
        try:
            load_settings(app, {name: value})
        except SettingsError as error:
            problems += error.problems
        else:
            kept[name] = value
    return kept, problems


def read_setting(name: str, value: Any, source: Source, prefix: str = "") -> Any:
    """Return the value of one setting as it will be used, or raise ValueError naming it."""
    if name not in _FIELDS:
        raise ValueError(f"unknown setting {_name(prefix, name)}{_nearest(name, prefix)}")
    if source is Source.ADMIN and not _FIELDS[name].metadata["admin"]:
        raise ValueError(f"{name} belongs to the app's configuration and cannot be set by the tool")
    try:
        return _FIELDS[name].metadata["read"](value)
    except ValueError as error:
        raise ValueError(f"{_name(prefix, name)}={shown(value)}: {error}") from None


def _name(prefix: str, name: str) -> str:
    name = name.upper() if prefix.isupper() else name
    return prefix.format(name) if "{}" in prefix else prefix + name


def _nearest(name: str, prefix: str) -> str:
    known = nearest(str(name).lower(), _FIELDS)
    if known:
        return f" (did you mean {_name(prefix, known)}?)"
    return " (known are " + ", ".join(_name(prefix, known) for known in _FIELDS) + ")"

"""Does this process serve? Only then are workers to be started, so this is asked with care.

A module that makes an app is imported by servers, but also by the reloader's parent, by `flask shell`
and other commands, by tests and scripts. What tells a server, in the order in which one can know it:
the app is made under `flask run` or by a known server program; `app.run()` is called; a request comes in.
"""

from __future__ import annotations

import os
from functools import wraps
from typing import Any
from weakref import WeakKeyDictionary

from flask import Flask, request, request_started
from flask.helpers import get_debug_flag
from werkzeug.serving import is_running_from_reloader

from autocron.app import in_worker
from autocron.client import Client
from autocron.integration import FirstRequest, is_served
from flask_autocron.source import Source, flask_command

_first_requests: WeakKeyDictionary[Flask, FirstRequest] = WeakKeyDictionary()


def serves() -> bool:
    """Whether it is known already, while the app is being made, that this process serves."""
    command = flask_command()
    if command is None:
        return is_served()
    return command.info_name == "run" and _serves_itself(reloads=command.params.get("reload"))


def start_when_serving(app: Flask, client: Client, source: Source) -> None:
    """Have an app's client start the workers as soon as it turns out that this process serves.

    Args:
        app: the app.
        client: starts the workers; if it has done so before, it does nothing.
        source: is told if it is the main module that serves.
    """
    _start_with_run(app, client, source)
    _first_requests[app] = FirstRequest(client.start)
    request_started.connect(_start_with_request)


def _serves_itself(*, reloads: bool | None) -> bool:
    """Whether a development server serves in this process, and not in one that a reloader starts."""
    reloads = get_debug_flag() if reloads is None else reloads
    return not reloads or is_running_from_reloader()


def _start_with_run(app: Flask, client: Client, source: Source) -> None:
    """Have `app.run()` start the workers; in a worker that runs the main module it does nothing."""
    run = app.run

    @wraps(run)
    def start_and_run(*args: Any, **options: Any) -> None:
        if in_worker():
            return
        debug = options.get("debug", args[2] if len(args) > 2 else None)
        if debug is None and "FLASK_DEBUG" not in os.environ:
            debug = app.debug
        is_ignored = os.environ.get("FLASK_RUN_FROM_CLI") == "true"
        if not is_ignored and _serves_itself(reloads=options.get("use_reloader", debug)):
            source.use_main()
            client.start()
        run(*args, **options)

    app.run = start_and_run  # type: ignore[method-assign]


def _start_with_request(app: Flask, **_more: Any) -> None:
    first_request = _first_requests.get(app)
    if first_request is not None:
        first_request.see(request.environ)

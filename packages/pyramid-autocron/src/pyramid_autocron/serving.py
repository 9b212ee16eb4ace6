"""Does this process serve? Only then are workers to be started, so this is asked with care.

Apps are made by servers, but also by `pshell`, `proutes` and other commands, by tests and scripts. What tells a
server, in the order in which one can know it: the app is made under `pserve`, or by a known server program; a request
comes in.
"""

from __future__ import annotations

from pyramid.config import Configurator
from pyramid.events import ApplicationCreated, NewRequest

from autocron.integration import FirstRequest, callers, is_served
from pyramid_autocron.integration import EXTENSION


def start_when_serving(config: Configurator) -> None:
    """Have the workers started as soon as it turns out that this process serves, but not before the app is made."""
    registry = config.registry

    def start() -> None:
        registry[EXTENSION].start()

    def start_with_app(_event: ApplicationCreated) -> None:
        if serves():
            start()

    first_request = FirstRequest(start)
    config.add_subscriber(start_with_app, ApplicationCreated)
    config.add_subscriber(lambda event: first_request.see(event.request.environ), NewRequest)


def serves() -> bool:
    """Whether it is known already, when the app is made, that this process serves."""
    return is_served() or _is_under_pserve()


def _is_under_pserve() -> bool:
    """Whether it is `pserve` that makes the app. The process that it reloads does; the one that watches makes none."""
    # By its name: as `python -m pyramid.scripts.pserve` it is in the main module.
    commands = (type(frame.f_locals.get("self")) for frame in callers())
    return any(command.__name__ == "PServeCommand" for command in commands)

"""What happens, by name: code emits events, and whoever is interested subscribes.

The wording of log lines is in `processes.log`; nothing else turns events into text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

Subscriber: TypeAlias = Callable[[str, Mapping[str, Any]], None]

_subscribers: list[Subscriber] = []
_wishes: dict[Subscriber, Callable[[str], bool]] = {}


def subscribe(subscriber: Subscriber, wants: Callable[[str], bool] | None = None) -> None:
    """Have `subscriber(name, details)` called for each event from now on; twice does no harm.

    Args:
        subscriber: what is called.
        wants: whether it has any use for an event just now; for `is_wanted`. None: for all of them.
    """
    if subscriber not in _subscribers:
        _subscribers.append(subscriber)
        if wants is not None:
            _wishes[subscriber] = wants


def is_wanted(name: str) -> bool:
    """Whether anybody has use for an event: to ask before the details are put together on a hot path."""
    for subscriber in _subscribers:
        wants = _wishes.get(subscriber)
        if wants is None or wants(name):
            return True
    return False


def emit(name: str, /, **details: Any) -> None:
    """Tell all subscribers that `name` happened."""
    for subscriber in _subscribers:
        subscriber(name, details)

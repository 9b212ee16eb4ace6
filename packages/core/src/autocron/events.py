"""What happens, by name: code emits events, and whoever is interested subscribes.

The wording of log lines is in `processes.log`; nothing else turns events into text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

Subscriber: TypeAlias = Callable[[str, Mapping[str, Any]], None]

_subscribers: list[Subscriber] = []


def subscribe(subscriber: Subscriber) -> None:
    """Have `subscriber(name, details)` called for each event from now on; twice does no harm."""
    if subscriber not in _subscribers:
        _subscribers.append(subscriber)


def emit(name: str, /, **details: Any) -> None:
    """Tell all subscribers that `name` happened."""
    for subscriber in _subscribers:
        subscriber(name, details)

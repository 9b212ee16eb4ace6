"""What is to become of a job whose attempt does not go well, as data; and that as text."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, Literal, TypeAlias

OnCrash: TypeAlias = Literal["retry", "fail"]
"""What to do with a job whose worker died in the midst of it."""


@dataclass(frozen=True, slots=True)
class Exponential:
    """Pauses between attempts that grow by a factor, for the option `backoff`.

    Example:
        ```python
        @autocron.delay(retries=8, backoff=autocron.Exponential(first=5, longest=3600))
        def call_service(): ...
        ```
    """

    first: float = 1.0
    """The pause after the first attempt, in seconds; 0 to 100 years."""
    factor: float = 2.0
    """By what each pause is longer than the one before; 1 to 100."""
    longest: float = 300.0
    """No pause is longer, in seconds."""
    jitter: float = 0.25
    """By which part of it, 0 to 1, a pause may be shortened, by chance: so that jobs that have failed together
    do not all come back together."""


Backoff: TypeAlias = Exponential | tuple[float, ...]
"""The pauses between attempts in seconds: one after the other, the last one again and again."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What is to become of a job whose attempt does not go well."""

    backoff: Backoff = Exponential()
    """How long it waits for its next attempt."""
    retry_on: tuple[str, ...] | None = None
    """The classes of exceptions after which it is tried again, as `module.Class`; None for all."""
    give_up_on: tuple[str, ...] = ()
    """The classes of exceptions after which it is not."""
    timeout: float | None = None
    """For how many seconds an attempt may run; None for as long as it takes."""
    on_crash: OnCrash = "retry"
    """Whether it runs again after its worker has died, or has failed."""


DEFAULT_POLICY = Policy()

_DEFAULTS = asdict(DEFAULT_POLICY)


@lru_cache(maxsize=1000)
def policy_to_text(policy: Policy) -> str | None:
    """Return what is stored of a policy: as JSON what is not as usual; None if there is nothing.

    Example:
        >>> policy_to_text(Policy(timeout=5.0)), policy_to_text(Policy())
        ('{"timeout": 5.0}', None)
    """
    values = asdict(policy)
    unusual = {name: value for name, value in values.items() if value != _DEFAULTS[name]}
    return json.dumps(unusual) if unusual else None


@lru_cache(maxsize=1000)
def policy_from_text(text: str | None) -> Policy:
    """Return the policy that `policy_to_text` has written.

    Example:
        >>> policy_from_text('{"on_crash": "fail"}').on_crash, policy_from_text(None) == Policy()
        ('fail', True)
    """
    if text is None:
        return DEFAULT_POLICY
    values: dict[str, Any] = json.loads(text)
    match values.get("backoff"):
        case dict(exponential):
            values["backoff"] = Exponential(**exponential)
        case list(pauses):
            values["backoff"] = tuple(pauses)
    for name in ("retry_on", "give_up_on"):
        if values.get(name) is not None:
            values[name] = tuple(values[name])
    return Policy(**values)

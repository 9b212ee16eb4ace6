"""Background tasks and schedules for Django: worker processes that start and end with the site."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import autocron

if TYPE_CHECKING:
    from django_autocron.backend import AutocronBackend

__version__ = "2.0.0"

__all__ = ["AutocronBackend"]

_core_version = getattr(autocron, "__version__", "1.x")
if _core_version != __version__:
    raise ImportError(
        f"django-autocron {__version__} needs autocron {__version__}, and found {_core_version} "
        f"in {autocron.__file__}: install both in one go, "
        f"pip install autocron=={__version__} django-autocron=={__version__}"
    )


def __getattr__(name: str) -> Any:
    if name == "AutocronBackend":  # Django 5.2 has no framework that it could be a backend of
        from django_autocron.backend import AutocronBackend

        return AutocronBackend
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""Background tasks and schedules for Pyramid: worker processes that start and end with the app."""

import autocron

__version__ = "2.0.0"

__all__ = ["includeme"]

_core_version = getattr(autocron, "__version__", "1.x")
if _core_version != __version__:
    raise ImportError(
        f"pyramid-autocron {__version__} needs autocron {__version__}, and found {_core_version} "
        f"in {autocron.__file__}: install both in one go, "
        f"pip install autocron=={__version__} pyramid-autocron=={__version__}"
    )

from pyramid_autocron.extension import includeme  # noqa: E402 - only this core has what it imports

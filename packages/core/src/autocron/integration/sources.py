"""Applications that jobs need: each worker builds its own, as the web process has built it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Generic, TypeVar
from weakref import ref

from autocron.errors import SettingsError, shown
from autocron.integration.base import Integration


@dataclass
class Source:
    """What a worker imports, and calls, to get the application; adapters add how.

    Args:
        path: where the application is, if its configuration or a command says so.
        modules: the modules that have the application or its factory, and their files; the likeliest first.
        main: the main module as `describe_main` returns it, if it has to do with the application.
    """

    path: str | None = None
    modules: dict[str, str | None] = field(default_factory=dict)
    main: dict[str, str] | None = None

    def describe(self) -> dict[str, Any]:
        """Return the arguments for making this anew, as plain JSON."""
        return asdict(self)

    @staticmethod
    def configured_path(configuration: Mapping[str, Any], setting: str) -> str | None:
        """Return where the configuration says that the application is; None if it does not.

        Raises:
            SettingsError: it is not a string.
        """
        path = configuration.get(setting)
        if setting not in configuration or (isinstance(path, str) and path.strip()):
            return path and path.strip()
        reason = "must be a string such as 'module:app'"
        raise SettingsError([f"{setting}={shown(path)}: {reason}"])


S = TypeVar("S", bound=Source)
A = TypeVar("A")


class SourceIntegration(Integration, Generic[S, A]):
    """An application that is built from a source.

    Subclasses fill `load`, which has to end with `keep()`, and `job_context`, which needs `app`.

    Args:
        source: where a worker finds the application.
        settings: what the application has configured; not needed in a worker.
        app: the application, or what the framework has of it; a worker builds it. It is not kept by this.
    """

    source_type: ClassVar[type[Any]]
    """The class of the source, which a worker makes from its description."""

    def __init__(
        self, source: S, settings: Mapping[str, Any] | None = None, app: A | None = None
    ) -> None:
        self.source = source
        self._settings = settings or {}
        self._app: Callable[[], A | None] = (lambda: None) if app is None else ref(app)

    @property
    def app(self) -> A:
        """The application, in the web process that has built it, or in a worker that has loaded it."""
        app = self._app()
        assert app is not None, "no job runs before the application is loaded, or after it is gone"
        return app

    def keep(self, app: A) -> None:
        """Have `app` return this application, which a worker has built, for good."""
        self._app = lambda: app

    def settings(self) -> Mapping[str, Any]:
        """Return what the application has configured."""
        return self._settings

    def describe(self) -> dict[str, Any]:
        """Return where a worker finds the application."""
        return self.source.describe()

    @classmethod
    def from_description(cls, description: dict[str, Any]) -> SourceIntegration[S, A]:
        """Return, in a worker, what `describe` has described in the web process."""
        return cls(cls.source_type(**description))

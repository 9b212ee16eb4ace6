"""Where a worker finds the app that the web process serves."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyramid.config import Configurator, global_registries
from pyramid.path import DottedNameResolver
from pyramid.registry import Registry

from autocron import integration
from autocron.errors import AppNotFound
from autocron.integration import (
    ModuleIntegration,
    being_imported,
    callers,
    describe_main,
    files_of,
    is_served,
)

PREFIX = "autocron."
APP = f"{PREFIX}app"
EXAMPLE = "'module:app' or 'package.module:make_app'"
_MAIN = "__main__"


@dataclass
class Source(integration.Source):
    """What a worker imports, and calls, to get the app.

    The path is the dotted name of the app, or of what makes it.
    """

    paste: dict[str, Any] | None = None
    """The arguments of `paste.deploy.loadapp`, if an ini file says what the app is."""

    @classmethod
    def of(cls, config: Configurator) -> Source:
        """Return where an app comes from; to be called while it is being made.

        Raises:
            SettingsError: `autocron.app` is not a string.
        """
        path = cls.configured_path(config.get_settings() or {}, APP)
        paste = _paste()
        if path is not None or paste is not None:
            return cls(path, paste=paste)
        modules = being_imported() | files_of([config.root_package.__name__])
        has_main = _MAIN in modules or not (being_imported() or is_served())
        modules.pop(_MAIN, None)
        return cls(modules=modules, main=describe_main() if has_main else None)

    @property
    def folder(self) -> Path:
        """Where relative paths start."""
        if self.paste is None:
            return Path.cwd()
        return Path(self.paste["relative_to"], self._ini).parent

    @property
    def _ini(self) -> str:
        return "" if self.paste is None else self.paste["uri"].partition(":")[2].partition("#")[0]

    def load(self, is_ours: Callable[[Registry], bool]) -> Registry:
        """Make the app as the web process has made it, and return its registry.

        Raises:
            AppNotFound: what was made is another app, or none.
        """
        _app = self._load()  # kept: that list knows registries only as long as others do
        for registry in global_registries:
            if is_ours(registry):
                return registry
        places = self.path or self._ini or ", ".join([*self.modules, *(self.main or {}).values()])
        raise AppNotFound(places=places, reasons="", setting=APP, example=EXAMPLE)

    def _load(self) -> Any:
        if self.path is not None:
            app = DottedNameResolver().resolve(self.path)
            return app if hasattr(app, "registry") else app()
        if self.paste is None:
            return ModuleIntegration(self.modules, self.main).load()
        from paste.deploy import loadapp
        from plaster import get_loader

        path = Path(self.paste["relative_to"], self._ini)
        loader = get_loader(str(path), protocols=["wsgi"])
        if "loggers" in loader.get_sections():
            loader.setup_logging(self.paste["global_conf"])
        return loadapp(**self.paste)


def _paste() -> dict[str, Any] | None:
    """Return what `paste.deploy.loadapp` was called with, if the app is made by it, whoever has called that."""
    loadwsgi = sys.modules.get("paste.deploy.loadwsgi")
    if loadwsgi is None:
        return None
    code = loadwsgi.loadapp.__code__
    calls = [frame.f_locals for frame in callers() if frame.f_code is code]
    if not calls:
        return None
    found = calls[-1]
    given = {"uri": found["uri"], "name": found["name"], "relative_to": None, "global_conf": None}
    given |= found["kw"]
    given["relative_to"] = str(Path(given["relative_to"] or "").absolute())
    given["global_conf"] = dict(given["global_conf"] or {})
    return given

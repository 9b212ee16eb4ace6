"""Where a worker finds the app that the web process serves."""

from __future__ import annotations

from collections.abc import Iterator

import click
from flask import Flask
from flask.cli import NoAppException, ScriptInfo, locate_app

from autocron import integration
from autocron.errors import AppNotFound
from autocron.integration import (
    being_imported,
    describe_main,
    files_of,
    is_missing,
    load_main,
    load_module,
)

PREFIX = "AUTOCRON_"
APP = f"{PREFIX}APP"
EXAMPLE = "'module:app' or 'package:create_app()'"
_MAIN = "__main__"


class Source(integration.Source):
    """What a worker imports, and calls, to get the app.

    The path is what `flask --app` takes; empty for what the flask command finds by itself.
    """

    @classmethod
    def of(cls, app: Flask) -> Source:
        """Return where an app comes from; to be called while it is being made.

        Raises:
            SettingsError: `AUTOCRON_APP` is not a string.
        """
        path = cls.configured_path(app.config, APP)
        path = _path_of_command() if path is None else path
        if path is not None:
            return cls(path=path)
        main = describe_main() if app.import_name == _MAIN else None
        modules = being_imported()
        for name, file in files_of([app.import_name]).items():
            modules.setdefault(name, file)
        modules.pop(_MAIN, None)
        return cls(modules=modules, main=main)

    def use_main(self) -> None:
        """Have the workers import the main module, since it is what serves."""
        if self.path is None:
            self.main = describe_main()

    def apps(self) -> Iterator[Flask | None]:
        """Import one thing after the other, and yield the app that each of them brings, if any.

        An app that an import makes by the way is not seen here. So a factory is only called after
        a None, which says: look whether it is there already.

        Raises:
            AppNotFound: there is nothing left to import.
        """
        if self.path is not None:
            yield ScriptInfo(self.path or None).load_app()
            raise _not_found(repr(self.path or "."))
        if self.main is not None:
            load_main(self.main)
        reasons = []
        places = ({} if self.main is None else {_MAIN: None}) | self.modules
        for module, file in places.items():
            try:
                load_module(module, file)
            except ModuleNotFoundError as error:
                if not is_missing(module, error):
                    raise
                continue
            yield None
            try:
                yield locate_app(module, None)
            except NoAppException as error:
                reasons.append(f" ({error})")
        raise _not_found(", ".join(places), "".join(reasons))


def flask_command() -> click.Context | None:
    """Return what the flask command is about to run, if this process is one."""
    context = click.get_current_context(silent=True)
    return None if context is None or context.find_object(ScriptInfo) is None else context


def _path_of_command() -> str | None:
    context = flask_command()
    info = None if context is None else context.find_object(ScriptInfo)
    if info is None:
        return None
    if info.create_app is None:
        return info.app_import_path or ""
    module, name = info.create_app.__module__, info.create_app.__qualname__
    return None if module == _MAIN or "<" in name else f"{module}:{name}()"


def _not_found(places: str, reasons: str = "") -> AppNotFound:
    return AppNotFound(places=places, reasons=reasons, setting=APP, example=EXAMPLE)

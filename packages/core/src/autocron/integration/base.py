"""What autocron needs to know of an application, and the answer where there is no framework."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from autocron import registry
from autocron.integration.modules import describe_main, files_of, load_main, load_module
from autocron.model import ClaimedJob


class Integration:
    """How a framework's application is configured, loaded and entered.

    The web process makes one and has it described; each worker makes its own from the description.

    Example:
        ```python
        class MyIntegration(Integration):
            def settings(self):
                return {"database": "project.db", "workers": 2}

            def load(self):
                import_module("my_app")
        ```
    """

    def settings(self) -> Mapping[str, Any]:
        """Return the settings from the framework's configuration, by the names in `Settings`."""
        raise NotImplementedError

    def load(self) -> None:
        """Import the application, in a worker, so that all its tasks are registered."""
        raise NotImplementedError

    def job_context(self, job: ClaimedJob) -> AbstractContextManager[Any]:
        """Return what is entered around every job; nothing by default."""
        return nullcontext()

    def on_commit(self, callback: Callable[[], None]) -> bool:
        """Have `callback` called when the transaction commits that is going on here and now.

        When it is rolled back, nothing must hold `callback` any longer.

        Returns:
            Whether there is such a transaction; by default there is not.
        """
        return False

    def should_start(self) -> bool:
        """Whether this process serves, and should see to it that there are workers."""
        return True

    def describe(self) -> dict[str, Any]:
        """Return, as plain JSON, what `from_description` needs to make this anew in a worker."""
        return {}

    @classmethod
    def from_description(cls, description: dict[str, Any]) -> Integration:
        """Return, in a worker, what `describe` has described in the web process."""
        return cls(**description)


class ModuleIntegration(Integration):
    """An application that is a set of modules, one of which may be the main module.

    Args:
        modules: the modules that the workers import, and the files of those that go by another name there.
        main: the main module as `describe_main` returns it, if they import that, too.
        settings: what the application has configured.
    """

    def __init__(
        self,
        modules: Mapping[str, str | None],
        main: Mapping[str, str] | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self._modules = modules
        self._main = main
        self._settings = settings or {}

    @classmethod
    def of_process(cls, callers: Iterable[str], settings: Mapping[str, Any]) -> ModuleIntegration:
        """Return the integration of an application whose modules `callers` have set autocron up."""
        modules = registry.task_modules() | set(callers)
        needs_main = bool(modules & set(registry.MAIN_NAMES))
        main = describe_main() if needs_main else None
        return cls(files_of(sorted(modules - set(registry.MAIN_NAMES))), main, settings)

    def settings(self) -> Mapping[str, Any]:
        """Return what the application has configured."""
        return self._settings

    def load(self) -> None:
        """Import the modules, the main module first.

        Raises:
            ModuleNotFoundError: one of them is not there.
        """
        if self._main is not None:
            load_main(self._main)
        for name, file in self._modules.items():
            load_module(name, file)

    def describe(self) -> dict[str, Any]:
        """Return the names of the modules, and the main module."""
        return {"modules": dict(self._modules), "main": self._main}

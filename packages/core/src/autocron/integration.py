"""The seam for framework packages: what autocron needs to know of the application around it.

An adapter subclasses `Integration`, and fills its four slots: `settings`, `load`, `job_context` and
`should_start`. Without a framework, `ModuleIntegration` does.
"""

from __future__ import annotations

import importlib
import importlib.util
import runpy
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import ModuleType
from typing import Any

from autocron import registry
from autocron.clock import system_clock
from autocron.current import current_job
from autocron.errors import TaskNotFound
from autocron.model import ClaimedJob, Retrying
from autocron.running import verdict
from autocron.running.executor import produced_by

_SERVER_MODULES = (
    *(
        "daphne.cli",
        "gunicorn.arbiter",
        "hypercorn.__main__",
        "mod_wsgi",
        "uwsgi",
        "waitress.runner",
    ),
)
"""Modules that a process only has if a server program runs in it, which was told of the application."""

_SERVER_PROGRAMS = ("granian", "hypercorn", "uvicorn")
"""Server programs whose modules an application might import as well."""

WORKER_MAIN = "__mp_main__"
"""What the application's main module is called in a worker, as in those of `multiprocessing`."""


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
        modules: the modules that the workers import.
        main: the main module as `describe_main` returns it, if they import that, too.
        settings: what the application has configured.
    """

    def __init__(
        self,
        modules: list[str],
        main: dict[str, str] | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self._modules = modules
        self._main = main
        self._settings = settings or {}

    @classmethod
    def of_process(cls, caller: str, settings: Mapping[str, Any]) -> ModuleIntegration:
        """Return the integration of an application whose module `caller` started autocron."""
        modules = registry.task_modules() | {caller}
        needs_main = bool(modules & set(registry.MAIN_NAMES))
        main = describe_main() if needs_main else None
        return cls(sorted(modules - set(registry.MAIN_NAMES)), main, settings)

    def settings(self) -> Mapping[str, Any]:
        """Return what the application has configured."""
        return self._settings

    def load(self) -> None:
        """Import the modules, the main module first."""
        if self._main is not None:
            load_main(self._main)
        for module in self._modules:
            importlib.import_module(module)

    def describe(self) -> dict[str, Any]:
        """Return the names of the modules."""
        return {"modules": self._modules, "main": self._main}


def is_served() -> bool:
    """Whether this process runs a server program that was told of the application.

    No management command, script or test does.
    """
    program = Path(sys.argv[0] if sys.argv else "")
    name = program.parent.name if program.name == "__main__.py" else program.name
    return name in _SERVER_PROGRAMS or any(module in sys.modules for module in _SERVER_MODULES)


def describe_main() -> dict[str, str] | None:
    """Return where this process's main module is; None if it has none that could be imported."""
    main = sys.modules["__main__"]
    spec = getattr(main, "__spec__", None)
    if spec is not None:
        return {"module": spec.name}
    file = getattr(main, "__file__", None)
    return {"file": str(Path(file).absolute())} if file else None


def load_main(main: dict[str, str]) -> None:
    """Run the application's main module in a worker, as a module that is not the main one.

    As with `multiprocessing`, what stands under `if __name__ == "__main__":` is not run.
    """
    module = ModuleType(WORKER_MAIN)
    sys.modules["__main__"] = sys.modules[WORKER_MAIN] = module
    if "module" in main:
        # The spec tells the tasks their module's real name already while it runs.
        module.__spec__ = importlib.util.find_spec(main["module"])
        module.__file__ = getattr(module.__spec__, "origin", None)
        content = runpy.run_module(main["module"], run_name=WORKER_MAIN, alter_sys=False)
    else:
        module.__file__ = main["file"]
        content = runpy.run_path(main["file"], run_name=WORKER_MAIN)
    module.__dict__.update(content)


def is_last_attempt(job: ClaimedJob, error: BaseException) -> bool:
    """Whether there will be no other attempt at a job, if the present one ends with an error."""
    current = current_job()
    if current is not None and current.cancel_requested:
        return True
    outcome = verdict.after_attempt(job, produced_by(error), system_clock())
    return not isinstance(outcome, Retrying)


def find_function(name: str, is_known: Callable[[str], bool] = lambda _: False) -> Any:
    """Return what runs a task; takes and raises what `find_task` does."""
    return find_task(name, is_known).run


def find_task(
    name: str, is_known: Callable[[str], bool] = lambda _: False
) -> registry.RegisteredTask:
    """Return a task.

    Args:
        name: what stands in the database. What it names is neither imported nor run for that alone.
        is_known: whether the application has a task of that name; its module may be one that the
            application imports only now and then, and is imported here if need be.

    Raises:
        TaskNotFound: there is no such task; has the reason.
    """
    task, reason = registry.find_task(name), "no module that was imported defines it"
    if task is None and is_known(name):
        reason = _import_module_of(name)
        task = registry.find_task(name) or registry.adopted_task(name)
    if task is None:
        raise TaskNotFound(task=name, reason=reason)
    return task


def _import_module_of(name: str) -> str:
    """Import the module that should define a task; return what to say if it does not."""
    module = name.rpartition(".")[0]
    while module:
        try:
            importlib.import_module(module)
        except ModuleNotFoundError as error:
            if not is_missing(module, error):
                return f"importing {module}: {error}"
            module = module.rpartition(".")[0]
        except BaseException as error:  # the boundary around the application's code
            return f"importing {module}: {type(error).__name__}: {error}"
        else:
            return f"{module} has no such task"
    return "there is no such module"


def is_missing(module: str, error: ModuleNotFoundError) -> bool:
    """Whether it is a module itself, or a package around it, that was not found; or one that it imports."""
    return error.name is not None and f"{module}.".startswith(f"{error.name}.")

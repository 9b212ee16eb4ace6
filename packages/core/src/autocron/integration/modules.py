"""Where an application is, told in the web process, and imported in a worker."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import runpy
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import FrameType, ModuleType

WORKER_MAIN = "__mp_main__"
"""What the application's main module is called in a worker, as in those of `multiprocessing`."""


def describe_main() -> dict[str, str] | None:
    """Return where this process's main module is; None if it has none that could be imported."""
    main = sys.modules["__main__"]
    spec = getattr(main, "__spec__", None)
    if spec is not None:
        return {"module": spec.name}
    file = getattr(main, "__file__", None)
    return {"file": str(Path(file).absolute())} if file else None


def load_main(main: Mapping[str, str]) -> None:
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


def files_of(modules: Iterable[str]) -> dict[str, str | None]:
    """Return modules that this process has imported, and the file of each, by which a worker finds it if need be."""
    return {name: getattr(sys.modules.get(name), "__file__", None) for name in modules}


def load_module(name: str, file: str | None = None) -> None:
    """Import a module in a worker.

    Some servers load a file under a name of their own. Tasks in it go by that name, so that workers
    have to do the same.

    Raises:
        ModuleNotFoundError: there is none of that name, and no such file.
    """
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        spec = importlib.util.spec_from_file_location(name, file) if file else None
        if not is_missing(name, error) or spec is None or spec.loader is None:
            raise
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])


def is_missing(module: str, error: ModuleNotFoundError) -> bool:
    """Whether it is a module itself, or a package around it, that was not found; or one that it imports."""
    return error.name is not None and f"{module}.".startswith(f"{error.name}.")


def being_imported() -> dict[str, str | None]:
    """Return the module with whose import it began, and its file, if an import is going on here.

    That module is what a server was told of; the main module, which is not imported, is none.
    """
    frame = frame_being_imported()
    return {} if frame is None else {frame.f_globals["__name__"]: frame.f_globals.get("__file__")}


def frame_being_imported() -> FrameType | None:
    """Return the frame of the module that `being_imported` returns."""
    first = None
    for frame in callers():
        name = frame.f_globals.get("__name__", "__main__")
        is_module = frame.f_code.co_name == "<module>" and "__file__" in frame.f_globals
        if is_module and name != "__main__":
            first = frame
    return first


def caller_outside(library: ModuleType) -> str:
    """Return the name of the module that has called a library, which in turn has called what calls this."""
    was_within = False
    for frame in callers():
        is_within = frame.f_globals is library.__dict__
        if was_within and not is_within:
            return str(frame.f_globals.get("__name__", "__main__"))
        was_within = is_within
    return "__main__"


def callers() -> Iterator[FrameType]:
    """Yield the frames of all that is running in this thread, beginning with the function that asks."""
    frame = inspect.currentframe()
    assert frame is not None, "CPython has frames"
    while frame.f_back is not None:
        frame = frame.f_back
        yield frame

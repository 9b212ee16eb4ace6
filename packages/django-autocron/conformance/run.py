"""Runs Django's own tests of its Tasks framework against `django_autocron.AutocronBackend`.

They come from the source distribution of the Django that is installed, and are kept nowhere. The backends that
they were written for are replaced by ours: the one that only stores by one that only enqueues, the one that
runs at once by one that drains after each call. All pass but those in `DESCRIBE_BUILT_IN`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tarfile
import tempfile
import unittest
from pathlib import Path
from typing import Any

import django
import django.tasks.backends.dummy
import django.tasks.backends.immediate
from django.conf import settings
from django.test.runner import DiscoverRunner

DESCRIBE_BUILT_IN = {
    # They change what the dummy backend holds in its memory.
    "test_dummy_backend.DummyBackendTestCase.test_refresh_result",
    "test_dummy_backend.DummyBackendTestCase.test_refresh_result_async",
    # They say what the immediate backend cannot do, and ours can.
    "test_immediate_backend.ImmediateBackendTestCase.test_cannot_get_result",
    "test_immediate_backend.ImmediateBackendTestCase.test_cannot_refresh_result",
    "test_immediate_backend.ImmediateBackendTestCase.test_cannot_pass_run_after",
}


def fetch(folder: Path) -> Path:
    """Return the tests of the Django that is installed, in a folder of that name."""
    version = django.get_version()
    command = ["download", "--quiet", "--no-deps", "--no-binary=:all:", f"Django=={version}"]
    subprocess.run([sys.executable, "-m", "pip", *command], cwd=folder, check=True)
    [archive] = folder.glob("*.tar.gz")
    with tarfile.open(archive) as content:
        members = [member for member in content if "/tests/tasks/" in member.name]
        content.extractall(folder, members, filter="data")
    [tests] = folder.glob("*/tests/tasks")
    return tests


def replace_backends() -> None:
    """Have the tests find ours where they look for Django's."""
    from django.tasks import signals  # noqa: F401 - its receivers log

    from autocron.administration import actions
    from autocron.administration.database import opened
    from autocron.app import current_client
    from autocron.testing import drain
    from django_autocron import AutocronBackend

    class EnqueueOnly(AutocronBackend):
        """Has what the tests ask of the dummy backend besides the contract: what it holds, and emptying it."""

        @property
        def results(self) -> list[Any]:
            return [self.get_result(job.id) for job in reversed(current_client().jobs(1000, None))]

        def clear(self) -> None:
            with opened(current_client().settings.database) as database:
                actions.delete(database, [result.id for result in self.results])

    class Draining(AutocronBackend):
        def enqueue(self, task: Any, args: Any, kwargs: Any) -> Any:
            result = super().enqueue(task, args, kwargs)
            try:
                drain()
            except KeyboardInterrupt:  # it was given back, and is not to run in other tests
                with opened(current_client().settings.database) as database:
                    actions.cancel(database, [result.id])
                raise
            return self.get_result(result.id)

    django.tasks.backends.dummy.DummyBackend = EnqueueOnly
    django.tasks.backends.immediate.ImmediateBackend = Draining


class Runner(DiscoverRunner):
    """Keeps what became of each test."""

    result: unittest.TestResult

    def run_suite(self, suite: unittest.TestSuite, **options: Any) -> unittest.TestResult:
        """Run the tests."""
        self.result = super().run_suite(suite, **options)
        return self.result


def main() -> int:
    """Return the exit status: 0 if the outcome of each test is what it is to be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--verbosity", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tests = fetch(folder)
        sys.path.insert(0, str(tests.parent))
        settings.configure(
            BASE_DIR=folder,
            DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
            INSTALLED_APPS=["tasks", "django_autocron"],
            TASKS={"default": {"BACKEND": "django_autocron.AutocronBackend"}},
            USE_TZ=False,  # as in the settings that Django's tests have
        )
        django.setup()
        replace_backends()
        runner = Runner(verbosity=arguments.verbosity)
        runner.run_tests(["tasks"])
    return judge(runner.result)


def judge(result: unittest.TestResult) -> int:
    """Say how the tests that ran have ended; return the exit status."""
    ended = [test for test, _ in (*result.failures, *result.errors)]
    failed = {_name(test) for test in ended}
    passed = result.testsRun - len(failed)
    print(f"Django {django.get_version()}: {passed} of {result.testsRun} tests passed.")
    wrong = failed ^ DESCRIBE_BUILT_IN
    for test in sorted(wrong):
        print("passed, against expectation:" if test in DESCRIBE_BUILT_IN else "FAILED:", test)
    print(f"The {len(DESCRIBE_BUILT_IN)} others describe the built-in backends.")
    return int(bool(wrong))


def _name(test: Any) -> str:
    test = getattr(test, "test_case", test)  # of one of its parts
    return str(test.id()).removeprefix("tasks.")


if __name__ == "__main__":
    sys.exit(main())

"""The command as it is used: a process of its own, and a database that is there."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

import autocron
from autocron.cli import main, perform
from autocron.cli.arguments import VERBS
from autocron.errors import UnknownJob, UsageError
from autocron.model import Failed, NewJob, Options, Retrying, Schedule, Succeeded, WorkerInfo
from autocron.processes.folder import RuntimeFolder
from autocron.processes.locks import Lock
from autocron.running import scheduler
from autocron.settings import load_settings

NOW = 1_795_000_000.0
NOBODY = 2**22 + 1  # proc_sys_kernel_pid_max(5): no process can have it


@pytest.fixture
def jobs(store):
    """Put jobs in of several statuses; return their ids."""
    names = ["done", "failed", "retrying", "running"]
    store.enqueue([NewJob(name, "shop.mail", '[["ü"],{}]') for name in names], NOW)
    store.settle(store.claim(1, NOW), Succeeded('"ok"'), NOW + 1)
    store.settle(store.claim(1, NOW), Failed("ValueError: no", "Traceback:\n  deep"), NOW + 1)
    store.settle(store.claim(1, NOW), Retrying(Failed("OSError", "T"), NOW + 60), NOW)
    store.claim(1, NOW)
    store.enqueue([NewJob("waiting", "shop.mail", "[[],{}]", Options(queue="post"))], NOW)
    return [*names, "waiting"]


# How it is called -----------------------------------------------------------------------------


def test_it_needs_a_database(command):
    """Without one it is wrongly used, and says what to give."""
    ended = command("status")
    assert ended.returncode == 2
    assert "name the file with --database, or in AUTOCRON_DATABASE" in ended.stderr


def test_the_environment_may_name_the_database(command, path, jobs):
    """What is written on the command line wins."""
    assert command("jobs", AUTOCRON_DATABASE=str(path)).returncode == 0
    ended = command("--database", path, "jobs", AUTOCRON_DATABASE="nowhere.db")
    assert ended.returncode == 0


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["dance"],
        ["job"],
        ["set", "workers"],
        ["jobs", "--status", "LOST"],
        ["jobs", "--limit", "0"],
        ["jobs", "--limit", "many"],
        ["status", "--colour"],
    ],
    ids=" ".join,
)
def test_wrong_usage_has_status_2(command, path, store, arguments):
    """The error is on stderr, with how it is used."""
    ended = command("--database", path, *arguments)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr.startswith("usage: python -m autocron")


def test_it_says_its_version(command):
    """That of the package."""
    assert command("--version").stdout == f"autocron {autocron.__version__}\n"


def test_help_names_all_verbs(command):
    """Each with a line that says what it does, and each with examples or arguments of its own."""
    text = command("--help").stdout
    for verb in VERBS:
        assert f"\n    {verb.name}" in text
        more = command(verb.name, "--help").stdout
        assert " ".join(more.split()).count(verb.words) == 1
        assert all(f"python -m autocron {example}" in more for example in verb.examples)


def test_an_adapter_may_name_database_and_command(path, jobs, capsys):
    """`main` can be called by a framework's own command."""
    assert main(["job", "done"], database=path, prog="flask autocron") == 0
    assert main(["job", "gone"], database=path, prog="flask autocron") == 1
    assert capsys.readouterr().err.startswith("flask autocron: there is no job gone")


ARGUMENTS = {
    "job": ["done"],
    "next-runs": ["shop.report"],
    "ticks": ["shop.report"],
    "cron": ["@daily"],
    "retry": ["failed"],
    "cancel": ["waiting"],
    "delete": ["done"],
    "purge": ["--yes"],
    "pause": ["--all"],
    "resume": ["--all"],
    "run-now": ["shop.report"],
    "set": ["workers", "2"],
    "unset": ["ttl"],
    "backup": ["copy.db"],
    "delete-database": ["--yes"],
    "completion": ["bash"],
}


@pytest.mark.parametrize(
    "verb", [verb.name for verb in VERBS if verb.name not in {"run", "restart"}]
)
def test_every_verb_speaks_json(command, path, store, jobs, verb):
    """But for `run` and `restart`, which need something that runs: their own tests show it."""
    store.change_settings({"ttl": 60.0})
    scheduler.register(store, [Schedule("shop.report", "shop.report", "every 60")], NOW)
    store.close()
    ended = command("--database", path, verb, *ARGUMENTS.get(verb, []), "--json")
    assert (ended.returncode, ended.stderr) == (3 if verb == "doctor" else 0, "")
    assert isinstance(json.loads(ended.stdout), dict | list)


# What it must not do --------------------------------------------------------------------------


@pytest.mark.parametrize("verb", [["status"], ["jobs"], ["settings"], ["set", "workers", "2"]])
def test_it_makes_no_database(command, tmp_path, verb):
    """A misspelt name is an error, and leaves no file behind."""
    ended = command("--database", "jobz.db", *verb)
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert "jobz.db: there is no such file: name the one that the application uses" in ended.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"hello", "is not an SQLite database"),
        (b"", "holds no jobs"),
        (None, "is a directory"),
    ],
)
def test_it_changes_nothing_that_is_not_ours(command, path, content, message):
    """Another file stays as it is, and gets no tables."""
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    ended = command("--database", path, "set", "workers", "2")
    assert ended.returncode == 1
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr
    assert content is None or path.read_bytes() == content


def test_a_database_of_another_program_stays_as_it_is(command, path, tmp_path):
    """Neither its contents nor its journal mode change, and no file comes beside it."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs (name TEXT)")
    before = path.read_bytes()
    ended = command("--database", path, "status")
    assert ended.returncode == 1
    assert "holds no jobs" in ended.stderr
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_it_makes_no_runtime_files(command, path, store, tmp_path):
    """Those that root would make would lock the application out."""
    store.close()
    for verb in (["status"], ["jobs"], ["settings"], ["set", "workers", "2"], ["unset", "workers"]):
        assert command("--database", path, *verb).returncode == 0
    assert [file.name for file in tmp_path.iterdir()] == ["jobs.db"]


# status ---------------------------------------------------------------------------------------


def test_status_shows_who_is_alive(ask, path, store):
    """By the locks that processes hold, whatever the database says."""
    folder = RuntimeFolder.of(path)
    folder.create()
    store.add_worker(WorkerInfo(1, 101, NOW))
    store.add_worker(WorkerInfo(2, NOBODY, NOW))
    found = ask("status")
    assert (found["application"], found["supervisor"]) == ("not running", "not running")
    assert [worker["alive"] for worker in found["workers"]] == [False, False]
    locks = [Lock(folder.apps_lock), Lock(folder.supervisor_lock), Lock(folder.worker_lock(2))]
    locks[0].acquire(wait=False, shared=True)
    locks[1].acquire(wait=False)
    locks[2].acquire(wait=False)
    found = ask("status")
    assert (found["application"], found["supervisor"]) == ("running", "running")
    assert found["workers"] == [
        {
            "number": 1,
            "pid": 101,
            "started_at": NOW,
            "version": "",
            "alive": False,
            "memory": None,
            "job": None,
        },
        {
            "number": 2,
            "pid": NOBODY,
            "started_at": NOW,
            "version": "",
            "alive": True,
            "memory": None,
            "job": None,
        },
    ]
    for lock in locks:
        lock.release()


def test_status_counts_jobs(ask, command, path, jobs):
    """Of each status, 0 included."""
    counts = {"WAITING": 2, "RUNNING": 1, "DONE": 1, "ERROR": 1, "CANCELLED": 0}
    assert ask("status")["jobs"] == counts
    text = command("--database", path, "status").stdout
    assert f"database        {path}\n" in text
    assert "WAITING    2" in text


APP = """
import autocron, sys

@autocron.delay
def add(a, b):
    return a + b

if __name__ == "__main__":
    autocron.start("jobs.db", shutdown_timeout=1)
    print(add(1, 2).wait(30), flush=True)
    sys.stdin.read()
"""


def test_a_real_application_can_be_watched(ask, tmp_path, until):
    """While it runs, and when it has ended."""
    tmp_path.joinpath("shop.py").write_text(APP)
    with subprocess.Popen(
        [sys.executable, "shop.py"], cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as app:
        assert app.stdout.readline() == b"3\n"
        found = ask("status")
        assert (found["application"], found["supervisor"]) == ("running", "running")
        (worker,) = found["workers"]
        assert worker["alive"]
        os.kill(worker["pid"], 0)
        (job,) = ask("jobs")
        assert (job["task"], job["status"], job["result"]) == ("shop.add", "DONE", "3")
        app.send_signal(signal.SIGKILL)
    until(lambda: ask("status")["supervisor"] == "not running")
    found = ask("status")
    assert (found["application"], found["workers"]) == ("not running", [])


# jobs and job ---------------------------------------------------------------------------------


def test_jobs_come_newest_first(ask, jobs):
    """As many as are wanted, and of the status that is wanted, in capitals or not."""
    assert [job["id"] for job in ask("jobs")] == jobs[::-1]
    assert [job["id"] for job in ask("jobs", "--limit", 2)] == jobs[:2:-1]
    assert [job["id"] for job in ask("jobs", "--status", "ERROR")] == ["failed"]
    assert [job["id"] for job in ask("jobs", "--status", "waiting")] == ["waiting", "retrying"]


def test_a_table_fits_the_terminal(command, path, store):
    """Long columns are cut to its width, and to a pipe nothing is cut."""
    long = "shop." + "long" * 30
    store.enqueue([NewJob("1", long, "[[],{}]")], NOW)
    narrow = command("--database", path, "jobs", COLUMNS="72").stdout
    assert max(map(len, narrow.splitlines())) <= 72
    assert "shop.long" in narrow
    assert "..." in narrow
    assert long in command("--database", path, "jobs").stdout


def test_a_terminal_is_not_taken_over(command, path, store):
    """Control characters in an error are shown and not obeyed; one job is one line."""
    store.enqueue([NewJob("1", "t", "[[],{}]")], NOW)
    store.settle(store.claim(1, NOW), Failed("\x1b[2J\nE: \x9b31m", "a\n\x1b[2J"), NOW)
    text = command("--database", path, "jobs").stdout
    assert r"\x1b[2J\nE: \x9b31m" in text
    assert len(text.splitlines()) == 2
    assert "\x1b" not in command("--database", path, "job", "1").stdout


def test_a_terminal_may_lack_characters(command, path, jobs):
    """With plain ASCII, what it cannot show is escaped."""
    ended = command("--database", path, "job", "done", PYTHONIOENCODING="ascii")
    assert ended.returncode == 0
    assert r"\xfc" in ended.stdout


def test_one_job_is_shown_whole(ask, command, path, jobs):
    """With arguments, error and traceback."""
    found = ask("job", "failed")
    assert (found["status"], found["error"]) == ("ERROR", "ValueError: no")
    assert found["finished_at"] == NOW + 1
    text = command("--database", path, "job", "failed").stdout
    assert 'arguments  [["ü"],{}]' in text
    assert text.endswith("\n\nTraceback:\n  deep\n")


def test_the_attempts_at_a_job_are_shown(ask, command, path, jobs):
    """Those that did not succeed, with what became of them; others have none to show."""
    (attempt,) = ask("job", "retrying")["attempts"]
    assert (attempt["number"], attempt["outcome"], attempt["error"]) == (1, "FAILED", "OSError")
    text = command("--database", path, "job", "retrying").stdout
    assert "ATTEMPT  OUTCOME" in text
    assert ask("job", "done")["attempts"] == []
    assert "ATTEMPT" not in command("--database", path, "job", "done").stdout


def test_a_job_can_be_cancelled(ask, command, path, jobs, store):
    """What is told depends on where it stood."""
    assert ask("cancel", "waiting") == [{"job": "waiting", "status": "CANCELLED"}]
    assert store.get("waiting").status == "CANCELLED"
    said = {
        "retrying": "retrying is cancelled.",
        "running": "running is running, and asked to stop.",
        "done": "done has ended before, as DONE.",
    }
    for job, words in said.items():
        assert command("--database", path, "cancel", job).stdout == f"{words}\n"
    assert store.is_cancel_requested("running")
    assert store.to_be_stopped() == {}
    text = command("--database", path, "cancel", "running", "--force").stdout
    assert text == "running is being stopped.\n"
    assert store.to_be_stopped() == {1: "running"}
    assert "there is no job gone" in command("--database", path, "cancel", "gone").stderr


def test_a_job_can_begin_anew(ask, command, path, jobs, store):
    """If it has ended without success; others are left as they are, with status 1."""
    assert ask("retry", "failed") == [{"job": "failed", "status": "WAITING"}]
    assert store.get("failed").status == "WAITING"
    for job, status in {"done": "DONE", "running": "RUNNING", "waiting": "WAITING"}.items():
        ended = command("--database", path, "retry", job)
        assert ended.returncode == 1
        assert f"job {job} is {status}: only one that has ended as ERROR or" in ended.stderr
    assert "there is no job gone" in command("--database", path, "retry", "gone").stderr


def test_there_may_be_no_such_job(command, path, store):
    """That is an error, with status 1."""
    ended = command("--database", path, "job", "gone")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("python -m autocron: there is no job gone: it never existed")


def test_whoever_reads_may_stop(path, store, tmp_path):
    """As `| head` does: that is no traceback."""
    store.enqueue([NewJob(str(number), "shop.mail", "[[],{}]") for number in range(5000)], NOW)
    line = f"{sys.executable} -m autocron --database {path} jobs --limit 5000 | head -n 1"
    ended = subprocess.run(
        line, shell=True, capture_output=True, text=True, check=False, timeout=60
    )
    assert ended.stdout.startswith("ID")
    assert ended.stderr == ""


# settings -------------------------------------------------------------------------------------


def test_settings_show_where_they_come_from(ask, command, path, store):
    """A default, or what an administrator has set."""
    store.change_settings({"workers": 3})
    found = ask("settings")
    assert found["workers"] == {"value": 3, "default": 1, "source": "admin"}
    assert found["ttl"] == {"value": 1800.0, "default": 1800.0, "source": "default"}
    lines = command("--database", path, "settings").stdout.splitlines()
    assert ["workers", "3", "1", "admin"] in [line.split() for line in lines]
    assert ["enabled", "true", "true", "default"] in [line.split() for line in lines]


def test_a_setting_can_be_set_and_unset(ask, command, path, store):
    """It is stored with its type, and the next start of the app uses it."""
    assert ask("set", "workers", "4") == {"workers": 4}
    assert ask("set", "enabled", "off") == {"enabled": False}
    assert ask("set", "ttl", "1.5") == {"ttl": 1.5}
    assert store.settings() == {"workers": 4, "enabled": False, "ttl": 1.5}
    assert ask("unset", "enabled") == {"enabled": None}
    assert store.settings() == {"workers": 4, "ttl": 1.5}
    text = command("--database", path, "set", "workers", "2").stdout
    assert text == "workers = 2\nNothing runs now; it is in force from the next start on.\n"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("workers 0", "workers='0': must be a whole number from 1 to 64"),
        ("worker 2", "unknown setting worker (did you mean workers?)"),
        ("database x.db", "database belongs to the app's configuration"),
        ("durability half", "must be one of 'full', 'normal'"),
    ],
)
def test_impossible_settings_are_refused(command, path, store, change, message):
    """The error is that which the application would get."""
    ended = command("--database", path, "set", *change.split())
    assert (ended.returncode, ended.stdout) == (1, "")
    assert message in ended.stderr
    assert store.settings() == {}


def test_only_what_is_set_can_be_unset(command, path, store):
    """Also a name that this version does not know, so that it stands in nobody's way."""
    ended = command("--database", path, "unset", "workers")
    assert ended.returncode == 1
    assert "workers has not been set by the tool" in ended.stderr
    store.change_settings({"from_the_future": 5})
    assert command("--database", path, "settings").returncode == 0
    assert command("--database", path, "unset", "from_the_future").returncode == 0
    assert store.settings() == {}


def test_what_was_set_is_in_force(command, path, store, tmp_path, run_program):
    """The application's own value is replaced by it."""
    command("--database", path, "set", "enabled", "no")
    ended = run_program(
        """
        import autocron

        @autocron.delay
        def add(a, b): return a + b

        if __name__ == "__main__":
            autocron.start("jobs.db", enabled=True)
            print(add(1, 2).result)
        """
    )
    assert (ended.stdout, ended.stderr) == ("3\n", "")


def test_a_newer_database_is_refused(command, path, store):
    """The tool does not touch what it does not know."""
    store._database.execute("PRAGMA user_version=99")
    ended = command("--database", path, "set", "workers", "2")
    assert ended.returncode == 1
    assert "has schema version 99" in ended.stderr


def test_a_locked_database_is_an_error(path, store, capsys):
    """After a while, and without a traceback."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert main(["--database", str(path), "jobs"]) == 0
        assert main(["--database", str(path), "set", "workers", "2"]) == 1
    assert "was locked by another program" in capsys.readouterr().err
    assert store.settings() == {}


# For adapters ---------------------------------------------------------------------------------


def test_errors_can_be_left_to_whoever_runs_the_command(path, jobs):
    """A framework has a way of its own to tell of them; what is wrong with the command line is one."""
    with pytest.raises(
        UsageError, match=r"usage: shop tool(.|\n)*shop tool: error: .*invalid choice"
    ):
        perform(["nothing"], database=path, prog="shop tool")
    with pytest.raises(UsageError, match="shop tool jobs: error: argument --limit"):
        perform(["jobs", "--limit", "x"], database=path, prog="shop tool")
    with pytest.raises(UnknownJob):
        perform(["job", "missing"], database=path, prog="shop tool")
    assert perform(["jobs"], database=path, prog="shop tool") == 0


def test_the_command_tells_of_them_itself(path, capsys):
    """With its usage, on the error stream, and a status of its own."""
    assert main(["nothing"], database=path, prog="shop tool") == 2
    assert "shop tool: error: " in capsys.readouterr().err


def test_it_can_be_quiet(path, jobs, capsys):
    """What changes something says nothing then; what is there to show something shows it."""
    assert perform(["purge", "--yes"], database=path, prog="tool", quiet=True) == 0
    assert capsys.readouterr().out == ""
    assert perform(["jobs"], database=path, prog="tool", quiet=True) == 0
    assert "shop.mail" in capsys.readouterr().out


def test_a_database_that_an_application_has_configured_is_not_missed(path, capsys):
    """It is made when that starts; whoever names one himself has to name the right one."""
    configured = load_settings({"database": path})
    assert main(["status"], database=path, configured=configured) == 1
    assert "it is made when the application starts" in capsys.readouterr().err
    assert main(["status"], database=path) == 1
    assert "name the one that the application uses" in capsys.readouterr().err

"""The command in a terminal: colours, width, questions, and what is shown again and again."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time

import pytest

from autocron.cli.output import Moment, Span
from autocron.model import Failed, NewJob, Succeeded
from autocron.testing.processes import heed_signals

NOW = 1_795_000_000.0
IDS = [f"01a201ca-2ee6-72e1-9f69-0bb079b709a{number}" for number in range(3)]


@pytest.fixture
def jobs(store):
    """Three jobs: one has ended well, one has not, one waits."""
    store.enqueue([NewJob(job_id, "shop.mail", "[[],{}]") for job_id in IDS], NOW)
    store.settle(store.claim(1, NOW), Succeeded("null"), NOW)
    store.settle(store.claim(1, NOW), Failed("ValueError: no", "T"), NOW)
    return store


class Terminal:
    """A terminal in which the command runs."""

    def __init__(self, arguments, columns, environment):
        known = {
            name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR")
        }
        self._screen, inside = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "autocron", *map(str, arguments)],
            env=known | {"TERM": "xterm", "COLUMNS": str(columns)} | environment,
            stdin=inside,
            stdout=inside,
            stderr=inside,
            start_new_session=True,
        )
        os.close(inside)
        self.text = ""

    def read_until(self, words):
        """Read until the command has written some words."""
        deadline = time.monotonic() + 30
        while words not in self.text:
            assert time.monotonic() < deadline, self.text
            ready, _, _ = select.select([self._screen], [], [], 1)
            if ready:
                self.text += os.read(self._screen, 65536).decode()

    def type(self, text):
        """Type something."""
        os.write(self._screen, text.encode())

    def end(self):
        """Wait for the end; return the status, and all that was written."""
        while True:
            try:
                piece = os.read(self._screen, 65536)
            except OSError:  # pty(7): EIO when the other end was closed
                break
            if not piece:
                break
            self.text += piece.decode()
        return self.process.wait(30), self.text.replace("\r\n", "\n")

    def close(self):
        """End what is left."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._screen)


@pytest.fixture(autouse=True)
def _signals():
    """The command can be left with Ctrl-C, wherever the tests are run."""
    heed_signals()


@pytest.fixture
def terminal(path):
    """A function that runs the command in a terminal."""
    opened = []

    def start(*arguments, columns=80, **environment):
        opened.append(Terminal(["--database", path, *arguments], columns, environment))
        return opened[-1]

    yield start
    for each in opened:
        each.close()


# Colours and width ----------------------------------------------------------------------------


def test_a_terminal_has_colours(jobs, terminal):
    """Heads stand out, and each status has its own; lines are no wider for that."""
    status, text = terminal("jobs").end()
    assert status == 0
    assert "\x1b[1mID" in text
    assert "\x1b[31mERROR" in text
    assert "\x1b[32mDONE" in text
    lines = re.sub(r"\x1b\[\d+m", "", text).splitlines()
    assert max(map(len, lines)) <= 80
    assert len({line.index("shop.mail") for line in lines[1:]}) == 1


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_colours_can_be_done_without(jobs, terminal, environment):
    """With https://no-color.org, or on a terminal that has none."""
    assert "\x1b" not in terminal("jobs", **environment).end()[1]


def test_what_is_no_terminal_gets_no_colours(jobs, command, path):
    """Whatever the width is said to be."""
    assert "\x1b" not in command("--database", path, "jobs", COLUMNS="80").stdout


def test_ids_and_times_are_short_where_there_is_little_room(jobs, terminal):
    """The end of an id is enough for the tool; a wide terminal shows all."""
    assert IDS[0] not in terminal("jobs", columns=80).end()[1]
    assert f"\n{IDS[0][-12:]}  " in terminal("jobs", columns=80).end()[1]
    assert IDS[0] in terminal("jobs", columns=200).end()[1]
    assert terminal("job", IDS[0][-12:]).end()[1].startswith(f"id         {IDS[0]}")


def test_times_of_today_are_shown_without_their_date():
    """Others without their seconds."""
    now = time.time()
    assert re.fullmatch(r"\d\d:\d\d:\d\d", Moment(now).text(short=True))
    assert re.fullmatch(r"20\d\d-\d\d-\d\d \d\d:\d\d", Moment(now - 200_000).text(short=True))
    assert Moment(None).text(short=True) == Span(None).text(short=True) == "-"
    assert Moment(1e300).text(short=False) == "1e+300"


# Questions ------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", ["y", "YES"])
def test_what_is_chosen_is_done_when_it_is_confirmed(jobs, terminal, answer):
    """The question says how many jobs it is about."""
    asked = terminal("delete", "--task", "mail")
    asked.read_until("3 jobs will be deleted. Go on? [y/N] ")
    asked.type(f"{answer}\n")
    status, text = asked.end()
    assert (status, text.splitlines()[-1]) == (0, "3 jobs deleted.")
    assert jobs.latest(9) == []


@pytest.mark.parametrize("answer", ["", "n", "yep", "\x04"], ids=["Enter", "n", "yep", "Ctrl-D"])
def test_nothing_is_done_without_a_clear_yes(jobs, terminal, answer):
    """The status says so."""
    asked = terminal("purge")
    asked.read_until("2 jobs will be deleted. Go on? [y/N] ")
    asked.type(answer if answer == "\x04" else f"{answer}\n")
    status, text = asked.end()
    assert status == 1
    assert "not confirmed: nothing was changed." in text
    assert len(jobs.latest(9)) == 3


def test_a_question_can_be_left_with_ctrl_c(jobs, terminal):
    """That is no traceback, and has a status of its own."""
    asked = terminal("purge")
    asked.read_until("[y/N] ")
    asked.process.send_signal(signal.SIGINT)
    status, text = asked.end()
    assert status == 130
    assert "Traceback" not in text


def test_who_names_jobs_is_not_asked(jobs, terminal):
    """They are what is meant."""
    assert terminal("delete", IDS[0], IDS[1]).end() == (0, "2 jobs deleted.\n")


# Watching -------------------------------------------------------------------------------------


def test_status_is_shown_in_place(jobs, terminal):
    """A frame takes the place of the one before, until Ctrl-C, which is no error."""
    watched = terminal("status", "--watch", "0.1")
    watched.read_until("ERROR    \x1b[0m  1")
    jobs.delete([IDS[1]], ["ERROR"])
    watched.read_until("ERROR    \x1b[0m  0")
    watched.process.send_signal(signal.SIGINT)
    status, text = watched.end()
    assert status == 0
    frames = text.split("\x1b[H")
    assert len(frames) > 2
    assert frames[0] == "\x1b[2J"
    assert all(frame.startswith("\x1b[?7l") for frame in frames[1:])


def test_what_is_watched_can_be_read_by_programs(jobs, path):
    """Each look is a line of JSON."""
    with subprocess.Popen(
        [
            sys.executable,
            "-m",
            "autocron",
            "--database",
            path,
            "status",
            "--watch",
            "0.1",
            "--json",
        ],
        stdout=subprocess.PIPE,
        text=True,
    ) as watched:
        looks = [json.loads(watched.stdout.readline()) for _ in range(2)]
        watched.send_signal(signal.SIGINT)
        watched.communicate(timeout=30)
    assert [look["jobs"]["ERROR"] for look in looks] == [1, 1]
    assert watched.returncode == 0


@pytest.mark.parametrize("interval", ["0", "-1", "soon", "inf"])
def test_an_interval_must_be_possible(jobs, command, path, interval):
    """From a tenth of a second to an hour."""
    ended = command("--database", path, "status", "--watch", interval)
    assert ended.returncode == 2
    assert "must be a number of seconds from 0.1 to 3600" in ended.stderr

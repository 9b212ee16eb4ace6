"""A site under gunicorn with four web processes, and what can happen to it."""

import os
import signal
from contextlib import suppress

from autocron.testing.processes import free_port

MINUTES = int(os.environ.get("AUTOCRON_SOAK_MINUTES", "5"))
"""How long each soak takes."""


class Site:
    """The application of a project under gunicorn, and what can happen to it.

    Args:
        project: the folder.
        application: the text of its module.
        chance: chooses the victims.
    """

    def __init__(self, project, application, chance):
        self.project = project
        self.server = None
        self.port = None
        self._chance = chance
        project.write("application.py", application)

    def serve(self):
        """Start the server, on another port than before."""
        self.port = free_port()
        options = ["--workers", "4", "--bind", f"127.0.0.1:{self.port}"]
        self.server = self.project.start("-m", "gunicorn", *options, "application:app")

    def pids(self, role):
        """Return the ids of autocron's processes of a role."""
        return [process.pid for process in self.project.autocron_processes(role)]

    def kill(self, pids):
        """Kill processes, of which some may have ended meanwhile."""
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    # What can happen ------------------------------------------------------------------------

    def reload(self):
        """Have the server replace its processes."""
        os.kill(self.server.pid, signal.SIGHUP)

    def reload_with_new_code(self):
        """The same, after the code was edited."""
        with open(self.project.folder / "application.py", "a") as file:
            file.write("\n")
        self.reload()

    def kill_supervisor(self):
        """Kill the supervisor, so that another process has to start the next."""
        self.kill(self.pids("supervisor"))

    def kill_web_process(self):
        """Kill one process of the server, which its master replaces."""
        self.kill(self._one_of(self.children()))

    def kill_worker(self):
        """Kill one worker, in whatever it is doing."""
        self.kill(self._one_of(self.pids("worker")))

    def kill_all_workers(self):
        """Kill supervisor and workers together."""
        self.kill(self.pids("supervisor") + self.pids("worker"))

    def _one_of(self, pids):
        return self._chance.sample(pids, min(1, len(pids)))

    def restart(self):
        """End the server as systemd does, and start it again."""
        self.server.end()
        self.serve()

    def replace(self):
        """Start the new server before the old one ends."""
        old = self.server
        self.serve()
        old.end()

    def lose_power(self):
        """Kill all processes there are, and start the server again."""
        pids = [self.server.pid, *self.children(), *self.pids("supervisor"), *self.pids("worker")]
        self.kill(pids)
        self.serve()

    def children(self):
        """Return the ids of the server's own processes."""
        path = f"/proc/{self.server.pid}/task/{self.server.pid}/children"
        with open(path) as file:
            return [int(pid) for pid in file.read().split()]

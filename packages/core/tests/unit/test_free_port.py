import socket

from autocron.testing.processes import free_port, is_listening

ASK = """
import itertools

from autocron.testing import processes

processes._numbers = itertools.count(processes._PORTS.index({first}))  # where the others have begun, too
print(*(processes.free_port() for _ in range(20)))
"""


def test_no_port_is_given_to_two_processes(run_program):
    """Though no server listens there as yet: one is just being started."""
    ours = {free_port() for _ in range(10)}
    done = run_program(ASK.format(first=min(ours)))
    assert done.returncode == 0, done.stderr
    theirs = {int(port) for port in done.stdout.split()}
    assert len(ours) == 10
    assert len(theirs) == 20
    assert ours.isdisjoint(theirs)


def test_a_port_on_which_somebody_listens_is_not_given():
    """It would be taken for the server that is yet to be started."""
    port = free_port()
    with socket.create_server(("127.0.0.1", port + 1)):
        assert is_listening(port + 1)
        assert free_port() != port + 1

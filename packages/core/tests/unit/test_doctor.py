"""What the doctor concludes from what it sees; real faults are in process/test_doctor.py."""

import os
from contextlib import ExitStack
from pathlib import Path

import pytest

from autocron.administration.doctor import Finding, Patient, examine
from autocron.administration.doctor.files import is_network_file_system
from autocron.administration.doctor.locks import writers
from autocron.administration.doctor.patient import in_two
from autocron.errors import NewerSchema, StoreBusy, StoreError
from autocron.model import (
    Failed,
    JobStatus,
    NewJob,
    NewTick,
    Options,
    Schedule,
    StoredSchedule,
    WorkerInfo,
)
from autocron.model_admin import KnownTask
from autocron.processes.filelocks import parse_locks
from autocron.processes.folder import RuntimeFolder, write_private
from autocron.processes.locks import Lock
from autocron.processes.mounts import type_of_mount
from autocron.processes.spawn import VERSION, AppCode, Orders, write_orders
from autocron.settings import load_settings

NOW = 4_000_000_000.0  # later than anything was installed

MOUNTS = r"""22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:40 / /srv/my\040shop rw - nfs4 nas:/shop\040a rw,vers=4.2
31 22 0:41 / /srv/tab\011and\134slash rw master:1 propagate_from:2 - cifs //nas/x rw
32 22 0:42 / /covered rw - nfs nas:/old rw
33 32 8:2 / /covered rw - xfs /dev/sdb rw
34 22 0:43 / /home/anna/far rw - fuse.sshfs anna@far:/ rw"""


# What the kernel says -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/srv/project.db", "ext4"),
        ("/srv/my shop", "nfs4"),
        ("/srv/my shop/data/project.db", "nfs4"),
        ("/srv/my shopping/project.db", "ext4"),
        ("/srv/tab\tand\\slash/project.db", "cifs"),
        ("/covered/project.db", "xfs"),
        ("/home/anna/far/project.db", "fuse.sshfs"),
    ],
)
def test_a_file_lies_in_the_innermost_mount_above_it(path, kind):
    """Whatever characters its name has; of several at one place, the latest counts."""
    assert type_of_mount(MOUNTS, Path(path)) == kind


@pytest.mark.parametrize(
    "kind",
    [
        *("nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "glusterfs", "lustre", "vboxsf"),
        *("fuse.sshfs", "fuse.glusterfs", "fuse.rclone", "fuse.s3fs"),
    ],
)
def test_network_file_systems_are_known(kind):
    """By the names that the kernel gives them."""
    assert is_network_file_system(kind)


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "zfs", "overlay", "tmpfs", "fuseblk"])
def test_disks_of_this_machine_are_no_network(kind):
    """Nor is what a container shows of them."""
    assert not is_network_file_system(kind)


def test_locks_that_are_waited_for_are_not_held():
    """Only the others are given, with all bytes that they are on."""
    held, whole = parse_locks(
        "1: POSIX  ADVISORY  WRITE 512 fd:01:131 120 120\n"
        "1: -> POSIX  ADVISORY  WRITE 513 fd:01:131 120 120\n"
        "2: FLOCK  ADVISORY  READ 514 00:2a:7 0 EOF\n"
        "3: POSIX  ADVISORY  WRITE 515 <none>:0 0 EOF\n"
    )
    assert (held.pid, held.device, held.inode, held.is_exclusive) == (512, (0xFD, 1), 131, True)
    assert [byte for byte in range(119, 122) if held.covers(byte)] == [120]
    assert (whole.kind, whole.is_exclusive, whole.covers(10**9)) == ("FLOCK", False, True)


@pytest.mark.parametrize(
    ("file", "lock", "keeps"),
    [
        ("jobs.db-shm", "POSIX ADVISORY WRITE 7 {} 120 120", [7]),
        ("jobs.db-shm", "POSIX ADVISORY READ 7 {} 120 120", []),
        ("jobs.db-shm", "POSIX ADVISORY WRITE 7 {} 121 127", []),
        ("jobs.db", "POSIX ADVISORY WRITE 7 {} 1073741826 1073742335", [7]),
        ("jobs.db", "POSIX ADVISORY READ 7 {} 1073741826 1073742335", []),
        ("other.db", "POSIX ADVISORY WRITE 7 {} 1073741824 1073742335", []),
    ],
)
def test_who_keeps_others_from_writing_is_seen_by_the_bytes(path, patient, file, lock, keeps):
    """Of the log's index that of the write lock; of the database those of exclusive use."""
    for name in (path.name, f"{path.name}-shm", "other.db"):
        path.with_name(name).touch()
    status = path.with_name(file).stat()
    place = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    assert writers(patient, parse_locks(f"1: {lock.format(place)}")) == keeps


def test_the_device_of_a_lock_may_have_another_number(path, patient):
    """Then the inode alone counts for who writes, as nothing else has that byte of it locked."""
    index = path.with_name("jobs.db-shm")
    index.touch()
    place = f"ff:ff:{index.stat().st_ino}"
    assert writers(patient, parse_locks(f"1: POSIX ADVISORY WRITE 7 {place} 120 120")) == [7]
    assert writers(patient, parse_locks(f"1: FLOCK ADVISORY WRITE 7 {place} 0 EOF")) == []


# How it is said -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "problem", "remedy"),
    [
        (StoreError(path="a", reason="is full: make room"), "a: is full", "make room"),
        (
            StoreBusy(path="a", seconds=5),
            "a was locked by another program",
            "find out who holds it",
        ),
        (NewerSchema(path="a", found=9, known=1), "a has schema version 9", "install the autocron"),
        (StoreError(path="a", reason="SQLite says: no"), "a: SQLite says: no", "look into the"),
        (StoreError(path="a", reason="is gone"), "a: is gone", "look into the application's log"),
    ],
)
def test_an_error_is_taken_apart(error, problem, remedy):
    """Into what is wrong and what to do about it."""
    found = in_two(error)
    assert found[0].startswith(problem)
    assert found[1].startswith(remedy)


# What is in the store -------------------------------------------------------------------------


@pytest.fixture
def settings(path):
    """The settings of the application."""
    return load_settings({"database": path}).settings


@pytest.fixture
def patient(path, settings):
    """A database that is examined at `NOW`."""
    return Patient(path, RuntimeFolder.of(path), settings, NOW)


@pytest.fixture
def held(patient, store):
    """A function that holds locks of the run-time folder, as the processes would that this is about."""
    patient.folder.create()
    with ExitStack() as stack:

        def hold(*names):
            for name in names:
                lock = Lock(patient.folder.path / f"{name}.lock")
                assert lock.acquire(wait=False)
                stack.callback(lock.release)

        yield hold


@pytest.fixture
def healthy(store, held, patient):
    """An application with a supervisor and a worker that has been there for an hour."""
    held("apps", "supervisor", "worker-1")
    store.add_worker(WorkerInfo(1, os.getpid(), NOW - 3600, VERSION))
    write_orders(patient.folder.orders, Orders({}, AppCode("module:Class", {})))
    return store


@pytest.fixture
def findings(patient, store):
    """A function that returns the names of all findings."""
    return lambda: [finding.check for finding in examine(patient, store)]


def put(store, job_id="a", task="shop.mail", now=NOW - 60):
    """Put a job in."""
    store.enqueue([NewJob(job_id, task, "[[],{}]", Options())], now)


def schedule(due=NOW + 60, rule="every 60 s", **more):
    """Return a schedule as it is stored."""
    planned = Schedule("shop.tick", "shop.tick", rule)
    return StoredSchedule(planned, due, anchor=NOW - 100, planned_at=NOW - 100, **more)


def test_nothing_is_wrong_with_what_runs(healthy, findings):
    """A running job, a schedule that is to come, and one for which it is just time."""
    put(healthy)
    healthy.claim(1, NOW)
    put(healthy, "b", now=NOW - 1)
    healthy.register([schedule(due=NOW - 1)], tasks=[KnownTask("shop.mail", Options())])
    assert findings() == []


def test_jobs_that_wait_beside_idle_workers_are_found(healthy, findings):
    """If they have waited for a while, and somebody could have taken them."""
    put(healthy)
    assert findings() == ["idle-workers"]
    put(healthy, "later", now=NOW)
    assert healthy.claim(1, NOW).id == "a"
    assert findings() == []


def test_a_job_that_should_be_claimable_is_found(healthy, findings):
    """If its time came long ago, and there is a supervisor that would see to it."""
    late, soon = Options(run_at=NOW - 61), Options(run_at=NOW + 60)
    healthy.enqueue([NewJob("soon", "shop.mail", "[[],{}]", soon)], NOW - 100)
    assert findings() == []
    healthy.enqueue([NewJob("late", "shop.mail", "[[],{}]", late)], NOW - 100)
    assert findings() == ["jobs-overdue"]


def test_a_worker_that_has_just_begun_is_not_called_idle(healthy, findings):
    """It may still import the application."""
    put(healthy)
    healthy.add_worker(WorkerInfo(1, os.getpid(), NOW - 1, VERSION))
    assert findings() == []


def test_what_is_paused_is_found_and_nothing_that_comes_of_it(healthy, findings):
    """All of it, a queue that has jobs, a schedule."""
    healthy.pause_all(paused=True)
    put(healthy)
    healthy.register([schedule(due=NOW - 1000)])
    assert findings() == ["paused"]
    healthy.pause_all(paused=False)
    healthy.register([schedule()])
    healthy.pause_queue("default", paused=True)
    healthy.pause("shop.tick", [], NOW)
    assert findings() == ["schedule-paused", "queue-paused"]


@pytest.mark.parametrize(
    ("by_admin", "remedy"), [(True, "see the verb `enable`"), (False, "the application has set it")]
)
def test_it_is_told_who_has_disabled_it(healthy, patient, path, by_admin, remedy):
    """And so what ends that."""
    settings = load_settings({"database": path, "enabled": False}).settings
    if by_admin:
        healthy.change_settings({"enabled": False})
    put(healthy)
    (found,) = examine(Patient(path, patient.folder, settings, NOW), healthy)
    assert found.check == "disabled"
    assert found.remedy.startswith(remedy)


def test_jobs_without_an_application_are_found(store, findings):
    """Nobody would run them."""
    assert findings() == []
    put(store)
    assert findings() == ["no-application"]


def test_settings_that_are_left_out_are_found(healthy, patient):
    """With what is wrong with each; what can be used is no matter."""
    healthy.change_settings({"workers": 0, "shiny": True, "ttl": 60})
    found = examine(patient, healthy)
    assert [finding.check for finding in found] == ["setting-unusable"] * 2
    problems = "".join(sorted(finding.problem for finding in found))
    assert "left out: unknown setting shiny" in problems
    assert "left out: workers=0: must be a whole number from 1" in problems


def test_an_application_without_a_supervisor_is_found(held, findings):
    """Nobody keeps its workers."""
    held("apps")
    assert findings() == ["no-supervisor"]


def test_a_schedule_that_cannot_be_read_is_found(healthy, patient):
    """With what is wrong with it."""
    healthy.register([schedule()])
    healthy.set_aside(healthy.schedule("shop.tick"), "there is no time zone Moon/Base")
    (found,) = examine(patient, healthy)
    assert found.check == "schedule-unusable"
    assert "shop.tick never fires: there is no time zone Moon/Base" in found.problem


def test_a_schedule_that_no_worker_confirms_is_found(healthy, findings):
    """After a while; a worker of the present code does it when it begins."""
    healthy.register([schedule()])
    healthy.await_registration()
    assert findings() == ["schedule-unconfirmed"]
    healthy.add_worker(WorkerInfo(1, os.getpid(), NOW - 5, VERSION))
    assert findings() == []


def test_a_schedule_that_should_have_fired_is_found(healthy, findings):
    """If it was due long ago, and there is a supervisor that would see to it."""
    healthy.register([schedule(due=NOW - 61)])
    assert findings() == ["schedule-overdue"]


def test_a_schedule_is_not_overdue_while_nobody_is_there(store, findings):
    """It is caught up with when the application is back."""
    store.register([schedule(due=NOW - 61)])
    assert findings() == []


def test_a_retired_schedule_is_left_alone(healthy, findings):
    """That it never fires is as it should be."""
    healthy.register([schedule(due=NOW - 1000)])
    healthy.register([])
    assert findings() == []


def test_jobs_of_a_task_that_no_worker_has_are_found(healthy, findings):
    """Unless a process of the application has called it: then a worker imports it when it is to run."""
    healthy.register([], tasks=[KnownTask("shop.mail", Options())])
    put(healthy, task="shop.old", now=NOW)
    assert findings() == ["unknown-task"]


def test_a_task_that_is_imported_when_it_is_called_is_no_finding(healthy, patient, findings):
    """Its name is noted by who has called it."""
    healthy.register([], tasks=[KnownTask("shop.mail", Options())])
    put(healthy, task="shop.late", now=NOW)
    patient.folder.add_task("shop.late")
    assert findings() == []


def test_every_failed_job_of_a_task_that_is_gone_is_counted(healthy, patient):
    """Of the latest, and only those that failed for that."""
    healthy.register([], tasks=[KnownTask("shop.mail", Options())])
    for number, error in enumerate(["TaskNotFound: there is no task", "ValueError: no"]):
        put(healthy, str(number), task="shop.old", now=NOW)
        healthy.settle(healthy.claim(1, NOW), Failed(error, ""), NOW)
    assert healthy.counts()[JobStatus.ERROR] == 2
    (found,) = examine(patient, healthy)
    assert found.check == "unknown-task"
    assert "the task shop.old (1 of the latest)" in found.problem


def test_before_any_worker_has_begun_no_task_is_missed(held, store, findings):
    """What the application has is not known then."""
    held("apps", "supervisor")
    put(store, now=NOW)
    assert findings() == []


@pytest.mark.parametrize("what", ["job", "worker", "tick"])
def test_times_that_are_yet_to_come_are_found(healthy, patient, what):
    """Somebody's clock was ahead, or this one is behind."""
    late = NOW + 3600
    if what == "job":
        put(healthy, now=late)
    elif what == "worker":
        healthy.add_worker(WorkerInfo(1, os.getpid(), late, VERSION))
    else:
        healthy.register([schedule()])
        healthy.fire(healthy.schedule("shop.tick"), [NewTick(NOW, None)], late, late)
    assert [finding.check for finding in examine(patient, healthy)] == ["clock"]


def test_a_clock_that_shows_less_than_when_it_was_installed_is_found(
    path, patient, settings, store
):
    """As on a machine whose battery is empty."""
    (found,) = examine(Patient(path, patient.folder, settings, 1000.0), store)
    assert found.check == "clock"
    assert "this autocron was installed" in found.problem


def test_a_worker_of_another_version_is_found(healthy, patient):
    """Its number is told, and both versions."""
    healthy.add_worker(WorkerInfo(1, os.getpid(), NOW - 3600, "0.0.1"))
    (found,) = examine(patient, healthy)
    assert found.check == "version"
    assert f"the application runs autocron {VERSION}, but worker 1 runs 0.0.1" in found.problem


def test_a_tool_of_another_version_is_found(healthy, patient):
    """If application and workers agree, it is the odd one."""
    healthy.add_worker(WorkerInfo(1, os.getpid(), NOW - 3600, "0.0.1"))
    orders = Orders({}, AppCode("module:Class", {}), version="0.0.1")
    write_orders(patient.folder.orders, orders)
    assert [finding.check for finding in examine(patient, healthy)] == ["tool-version"]


def test_orders_that_cannot_be_read_are_found(healthy, patient, findings):
    """They are those of another version."""
    write_private(patient.folder.orders, b'{"code": {}}')
    assert findings() == ["version"]


# What cannot be examined ----------------------------------------------------------------------


def test_a_check_that_cannot_be_made_is_a_finding(patient, store):
    """The others are made; all that fail for one reason are told together."""
    patient.folder.path.symlink_to(patient.folder.path)
    put(store)
    store.pause_queue("default", paused=True)
    found = examine(patient, store)
    assert [finding.check for finding in found] == ["queue-paused", "not-examined"]
    not_made = found[-1]
    assert "could not be examined: too many levels of symbolic links" in not_made.problem


def test_a_damaged_table_is_a_finding(patient, healthy):
    """Once, though several checks need it."""
    healthy._database.execute("DROP TABLE autocron_workers")
    found = examine(patient, healthy)
    assert [finding.check for finding in found] == ["not-examined"]
    assert "holds no jobs" in found[0].problem


def test_what_two_checks_have_found_is_said_once(path, patient):
    """With the name of the more exact one."""
    path.parent.chmod(0o777)
    problem = f"{path}: everybody may write to {path.parent}, and so put another file in its place"
    remedy = f"make a folder of your own in it (mkdir -m 700 {path.parent}/NAME), or chmod o-w {path.parent}"
    error = StoreError(path=path, reason=f"{problem.partition(': ')[2]}: {remedy}")
    found = examine(Patient(path, patient.folder, patient.settings, NOW, fault=error), None)
    assert found == [Finding("folder", problem, remedy)]
    path.parent.chmod(0o700)

"""CPU time and memory of processes, from /proc (see proc(5))."""

from collections.abc import Iterable
from pathlib import Path


def cpu_seconds(pids: Iterable[int]) -> float:
    """CPU time that the processes have used so far, all threads, to the nanosecond."""
    total = 0
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").iterdir():
            total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def memory(pids: Iterable[int]) -> float:
    """Megabytes that the processes take, what they share divided between those who share it."""
    kilobytes = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                kilobytes += int(line.split()[1])
    return kilobytes / 1024


def supervisor_of(database: Path) -> int:
    """The id of the process that supervises a database."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                command = (folder / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"supervisor" in command and str(database).encode() in command:
                return int(folder.name)
    raise LookupError(f"{database} has no supervisor")

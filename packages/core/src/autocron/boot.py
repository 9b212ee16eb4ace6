"""What a spawned process runs: finds autocron where the app found it, and becomes what it is to be.

It is run by its path, not with `-m` or `-c`: these would put the current directory in front of the
standard library, and a `queue.py` of the application in place of the real one.
"""

import sys
from pathlib import Path


def become() -> None:
    """Become the process that the first argument names."""
    sys.path[0] = str(Path(__file__).parents[1])
    if sys.argv[1] == "supervisor":
        from autocron.processes.supervisor import main
    else:
        from autocron.worker_process import main
    main()


if __name__ == "__main__":
    become()

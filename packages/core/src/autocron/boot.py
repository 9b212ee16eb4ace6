"""What the spawned process runs: finds autocron where the app found it, and becomes the supervisor.

It is run by its path, not with `-m` or `-c`: these would put the current directory in front of the
standard library, and a `queue.py` of the application in place of the real one.
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[1])

    from autocron.supervisor_process import main

    main()

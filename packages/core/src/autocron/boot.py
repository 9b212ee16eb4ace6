"""What the spawned process runs: finds autocron where the app found it, and becomes the supervisor.

It is run by its path, not with `-m` or `-c`: these would put the current directory in front of the
standard library, and a `queue.py` of the application in place of the real one. For the same reason it
loads the package by its path, and does not look into the folder that autocron lies in for anything else.
"""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

if __name__ == "__main__":
    own_folder = Path(__file__).parent
    if sys.path[0] == str(own_folder):
        del sys.path[0]
    spec = spec_from_file_location("autocron", own_folder / "__init__.py")
    assert spec is not None
    assert spec.loader is not None
    sys.modules["autocron"] = module_from_spec(spec)
    spec.loader.exec_module(sys.modules["autocron"])

    from autocron.supervisor_process import main

    main()

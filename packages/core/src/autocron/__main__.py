"""`python -m autocron` is the command `autocron`."""

import sys

from autocron.cli import main

if __name__ == "__main__":
    sys.exit(main(prog="python -m autocron"))

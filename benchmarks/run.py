"""Measure autocron beside what the machine can do without it; see README.md."""

import argparse
import compileall
import os
import platform
import sqlite3
import tempfile
from pathlib import Path

import autocron
import measures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("measure", nargs="*", help=f"any of {', '.join(measures.MEASURES)}")
    parser.add_argument("--quick", action="store_true", help="less of everything")
    parser.add_argument("--folder", type=Path, help="where to make the databases")
    arguments = parser.parse_args()
    unknown = set(arguments.measure) - set(measures.MEASURES)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    scale = measures.QUICK if arguments.quick else measures.Scale()
    print(
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, "
        f"{os.cpu_count()} cores, {platform.system()} {platform.release()}"
    )
    # As pip does when it installs; here the environment may forbid Python to do it on importing.
    compileall.compile_dir(Path(autocron.__file__).parent, quiet=1)
    for name in arguments.measure or measures.MEASURES:
        with tempfile.TemporaryDirectory(
            dir=arguments.folder, ignore_cleanup_errors=True
        ) as folder:
            for row in measures.MEASURES[name](Path(folder), scale):
                show(row)


def show(row: measures.Row) -> None:
    print(f"\n{row.measure}\n    ours   {row.figure}", flush=True)
    if row.floor:
        print(f"    floor  {row.floor}")
    if row.ratio is not None:
        print(f"    ratio  {row.ratio:.2f}")
    if row.goal:
        print(f"    goal   {row.goal}", flush=True)


if __name__ == "__main__":
    main()

"""A table of expressions, zones and moments, with the next three due times of each.

The due times come from cronsim, and were compared with what one finds by looking at every minute in
turn; the odd ones among those around changes of the clock were checked by hand. What cronsim cannot
do (nicknames, changes that are not from a whole hour to another: see `test_cron_zones.py`) was put
to it in other words.

Rules of zones may change with each release of tzdata. So nothing in the table is later than June
2026, except in zones that are no place's, and it holds from tzdata 2024a on.
"""

import csv
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from autocron.scheduling.cron import parse_cron


@pytest.fixture(scope="module")
def table():
    """The rows, as dictionaries: expression, zone, after, due1, due2, due3."""
    with Path(__file__).with_name("cron_table.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def next_three(row):
    """Return the next three due times of a row, as the table has them."""
    zone, rule = ZoneInfo(row["zone"]), parse_cron(row["expression"])
    moment = datetime.fromisoformat(row["after"]).timestamp()
    found = []
    for _ in range(3):
        moment = rule.next_after(moment, zone=zone)
        found.append(datetime.fromtimestamp(moment, zone).isoformat())
    return found


def test_the_table_holds(table):
    """Each row of it: from the moment `after` on, the next due times are these three."""
    wrong = [
        f"{' | '.join(row.values())}, not {' | '.join(found)}"
        for row in table
        if (found := next_three(row)) != [row["due1"], row["due2"], row["due3"]]
    ]
    assert not wrong, "\n".join(wrong)


def test_the_table_is_long(table):
    """It has more than 500 rows, with more than 60 expressions and more than 60 zones."""
    assert len({tuple(row.values()) for row in table}) == len(table) > 500
    assert len({row["expression"] for row in table}) > 60
    assert len({row["zone"] for row in table}) > 60


def test_the_table_does_not_depend_on_rules_to_come(table):
    """Later than June 2026 are only due times in zones that keep their offset for good."""
    late = {row["zone"] for row in table if row["due3"] >= "2026-07"}
    assert all(zone == "UTC" or zone.startswith("Etc/") for zone in late), late

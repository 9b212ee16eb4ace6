"""The crontab strings of autotask, whose fields have an order of their own and whose week begins on Monday."""

from __future__ import annotations

from autocron.errors import InvalidSchedule
from autocron.scheduling.cron import CronRule, parse_cron, weekdays_from_monday


def cron_from_autotask(crontab: str) -> CronRule:
    """Return the rule of a crontab string as autotask has it: *minutes hours dow months dom*.

    Days of the week are numbers from 0 (Monday) to 6, or names. All else is as in `parse_cron`, but
    that `*/2` counts as a restricted weekday: if both days are restricted, either may match.

    Raises:
        InvalidSchedule: names the field, its value and the range that is allowed.

    Example:
        >>> cron_from_autotask("* 9 0 4,7 10-15").expression
        '* 9 10-15 4,7 1'
    """
    fields = crontab.split() if isinstance(crontab, str) else []
    if len(fields) != 5:
        reason = "must be a string of five fields: minutes hours dow months dom"
        raise InvalidSchedule(field="autotask's crontab", value=crontab, reason=reason)
    minutes, hours, weekdays, months, days = fields
    return parse_cron(f"{minutes} {hours} {days} {months} {weekdays_from_monday(weekdays)}")

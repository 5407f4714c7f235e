"""Read dates and times of day, as far as they are said.

Not here: weekdays (passed over, not checked), time zones, durations (units.py), months in other
languages.
"""

import re

from tracefactory.verifiers.maths.words import MAX_CHARS, plain

Day = tuple[int | None, int | None, int | None]
"""(year, month, day); what is not said is None."""
Time = tuple[int, str | None, int]
"""(minutes, "am", "pm" or None, seconds)."""

_MONTHS = {
    name: number
    for number, names in enumerate(
        [
            ("january", "jan"), ("february", "feb"), ("march", "mar"), ("april", "apr"), ("may",),
            ("june", "jun"), ("july", "jul"), ("august", "aug"), ("september", "sep", "sept"),
            ("october", "oct"), ("november", "nov"), ("december", "dec"),
        ],
        1,
    )
    for name in names
}  # fmt: skip
_MONTH = r"(?P<month>[a-z]{3,9})\.?"
_DAY = r"(?P<day>[0-9]{1,2})(?:\^?\{?(?:st|nd|rd|th)\}?)?"
_YEAR = r"(?P<year>[0-9]{4})"
_WEEKDAY = re.compile(
    r"(?:(?:mon|tues|wednes|thurs|fri|satur|sun)day|mon|tue|wed|thu|fri|sat|sun)\.?,? "
)
_DATES = tuple(
    re.compile(form)
    for form in (
        rf"{_YEAR}(?P<sep>[-/.])(?P<number>[0-9]{{1,2}})(?P=sep)(?P<day>[0-9]{{1,2}})",
        rf"{_MONTH} ?{_DAY}(?:(?:,| |, ){_YEAR})?",
        rf"{_DAY}(?: of)? {_MONTH}(?:,? {_YEAR})?",
        rf"{_MONTH},? {_YEAR}",
    )
)
_SLASHES = re.compile(r"([0-9]{1,2})([/.\-])([0-9]{1,2})\2([0-9]{4})")
# In a leap year.
_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_CLOCK = re.compile(
    r"(?P<hour>[0-9]{1,2})(?:(?P<sign>[:.])(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2}))?)?"
    r"(?P<clock> ?o'clock)?"
    r"(?: ?(?P<half>[ap])\.? ?m\.?| (?:in the |)(?P<part>morning|afternoon|evening)"
    r"| ?(?P<word>noon|midnight))?"
)


def date(text: str) -> Day | None:
    """(year, month, day) of a day that the calendar has; what is not said is None.

    Day and month must be named, or month and year. `3/4/2024` may be in March or in April, so it
    is None. A weekday before the date is passed over, not checked.
    """
    if len(text) > MAX_CHARS:
        return None
    text = plain(text)
    weekday = _WEEKDAY.match(text)
    if weekday is not None:
        text = text[weekday.end() :].removeprefix("the ")
    found = _SLASHES.fullmatch(text)
    if found is not None:
        one, other, year = int(found[1]), int(found[3]), int(found[4])
        if one != other and one <= 12 and other <= 12:
            return None
        month, day = (one, other) if one <= 12 else (other, one)
        return _checked(year, month, day)
    for form in _DATES:
        found = form.fullmatch(text)
        if found is None:
            continue
        groups = found.groupdict()
        month_name, number = groups.get("month"), groups.get("number")
        known = int(number) if number else _MONTHS.get(month_name or "")
        if known is None:
            continue
        year_text, day_text = groups.get("year"), groups.get("day")
        return _checked(
            int(year_text) if year_text else None, known, int(day_text) if day_text else None
        )
    return None


def _checked(year: int | None, month: int, day: int | None) -> Day | None:
    """The day, if the calendar has it."""
    if not 1 <= month <= 12 or year == 0:
        return None
    if day is not None:
        leap = year is None or (year % 4 == 0 and (year % 100 != 0 or year % 400 == 0))
        if not 1 <= day <= _DAYS[month - 1] - (month == 2 and not leap):
            return None
    return year, month, day


def clock(text: str) -> Time | None:
    """(minutes, "am", "pm" or None, seconds) of a time of day.

    Minutes count from midnight; where nothing says which half of the day is meant, from the start
    of the half (`12:30` is 30). `16:30` says it. A bare `4` is no time.
    """
    if len(text) > MAX_CHARS:
        return None
    text = plain(text).removeprefix("at ")
    if text in ("noon", "midday"):
        return 720, "pm", 0
    if text == "midnight":
        return 0, "am", 0
    found = _CLOCK.fullmatch(text)
    if found is None:
        return None
    half = found["half"] and found["half"] + "m"
    if found["part"]:
        half = "am" if found["part"] == "morning" else "pm"
    hour, minute, second = int(found["hour"]), int(found["minute"] or 0), int(found["second"] or 0)
    if found["word"]:
        if hour != 12 or minute or second:
            return None
        half = "pm" if found["word"] == "noon" else "am"
    # `4.30` without more is a decimal number, `4` any number.
    if found["sign"] != ":" and not (half or found["clock"]):
        return None
    if hour > 23 or minute > 59 or second > 59:
        return None
    if hour > 12 or hour == 0:
        said = "pm" if hour else "am"
        if half not in (None, said):
            return None
        return hour * 60 + minute, said, second
    return hour % 12 * 60 + minute + (720 if half == "pm" else 0), half, second


def same_clock(one: Time, other: Time) -> bool:
    """Whether two times agree; a.m. or p.m. may be missing in one, but not contradict."""
    if one[1] and other[1] and one[1] != other[1]:
        return False
    return one[0] % 720 == other[0] % 720 and one[2] == other[2]

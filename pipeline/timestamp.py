"""Parse the times that SES writes, and format the times that Mailfold writes.

Pure: nothing here reads the clock. Precision is the millisecond, as in SES's own records and in Athena engine
version 3. Finer digits are cut off, never rounded.
"""

import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LAST_MS = 253_402_300_799_999  # the last millisecond of the year 9999, since 1970
FIRST_NUMBER_OF_MS = 100_000_000_000  # March 1973 in milliseconds, and the year 5138 in seconds
_NUMBER = re.compile(r"(\d{1,19})(?:\.\d{1,9})?", re.ASCII)
_DIGITS_OF_US, _DIGITS_OF_NS = 16, 19  # of microseconds and nanoseconds, between the years 2001 and 2286
_MILLISECOND = timedelta(milliseconds=1)
_USUAL_LENGTH = len("2016-10-14T05:02:16.645Z")

# SES writes 2016-10-14T05:02:16.645Z. Its documentation and public fixtures also contain no fraction, microseconds
# (with and without zone), an offset in place of Z, and "2018-10-08T14:05:45 +0000".
_FORMS = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d)?)(?:[.,](\d{1,9}))?"
    r"\s?(Z|UTC|GMT|[+-]\d\d(?::?\d\d(?::?\d\d)?)?)?",
    re.IGNORECASE | re.ASCII,
)
_HALF_DAY = re.compile(r"\b[ap]\.?m\b", re.IGNORECASE)
_COMPACT = re.compile(r"\d{8}T\d{6}Z?", re.ASCII)
_TWELVE_HOURS = re.compile(r"([A-Z][a-z]{2} \d{1,2}, \d{4}),? (\d{1,2}:\d\d:\d\d)[ \u202f]([AP]M)")  # as Java prints it


def parse_time(text: str | None) -> datetime | None:
    """Return the time in `text` as an aware UTC datetime, cut to milliseconds; None if it is unreadable.

    A time without a zone is UTC, because SES's times always are. A number is in seconds or milliseconds since 1970.
    """
    if not text:
        return None
    if len(text) == _USUAL_LENGTH and text[4:20:3] == "--T::." and text[23] == "Z":
        with suppress(ValueError):
            return datetime.fromisoformat(text)
    match = _FORMS.fullmatch(text.strip())
    if match is None:
        return _parse_other(text.strip())
    day, clock, fraction, zone = match.groups()
    milliseconds = (fraction or "")[:3].ljust(3, "0")
    seconds = "" if clock.count(":") > 1 else ":00"
    offset = zone if zone and zone[0] in "+-" else "Z"
    try:
        return datetime.fromisoformat(f"{day}T{clock}{seconds}.{milliseconds}{offset}").astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _parse_other(text: str) -> datetime | None:
    """Return the time of a number, or in a form that SES does not write."""
    if number := _NUMBER.fullmatch(text):
        return _parse_number(text, digits=len(number[1]))
    with suppress(ValueError):
        if _COMPACT.fullmatch(text):
            return datetime.fromisoformat(text).replace(tzinfo=UTC)
        if match := _TWELVE_HOURS.fullmatch(text):
            return datetime.strptime(" ".join(match.groups()), "%b %d, %Y %I:%M:%S %p").replace(tzinfo=UTC)
        return _parse_mail_date(text)
    return None


def _parse_number(text: str, *, digits: int) -> datetime | None:
    """Return the time of a number, as archives and other services write times."""
    number = float(text)
    if digits >= _DIGITS_OF_US:
        number /= 1_000 if digits < _DIGITS_OF_NS else 1_000_000
    milliseconds = number if number >= FIRST_NUMBER_OF_MS else number * 1_000
    return from_ms(int(milliseconds)) if milliseconds <= LAST_MS else None


def _parse_mail_date(text: str) -> datetime | None:
    """Return the time of a mail's Date header (RFC 2822), as some feeds of complaints write it.

    It has no hours of twelve, which would be read as if they were in the morning.
    """
    if _HALF_DAY.search(text):
        return None
    try:
        moment = parsedate_to_datetime(text)
        return (moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment).astimezone(UTC)
    except (TypeError, ValueError, OverflowError, IndexError):
        return None


def format_time(moment: datetime) -> str:
    """Return an aware datetime as YYYY-MM-DDTHH:MM:SS.mmmZ, in UTC."""
    moment = moment.astimezone(UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z".rjust(24, "0")


def to_ms(moment: datetime) -> int:
    """Return milliseconds since 1970 UTC."""
    since = moment - EPOCH
    return since.days * 86_400_000 + since.seconds * 1_000 + since.microseconds // 1_000


def from_ms(milliseconds: int) -> datetime:
    """Return the aware UTC datetime of milliseconds since 1970."""
    return EPOCH + milliseconds * _MILLISECOND

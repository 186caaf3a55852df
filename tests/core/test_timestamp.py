"""Tests of `pipeline.timestamp`: times in every form are parsed, and formatted in one."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.timestamp import EPOCH, format_time, from_ms, parse_time, to_ms

MOMENT = datetime(2016, 10, 14, 5, 2, 16, 645_000, tzinfo=UTC)
FORMS = (
    "2016-10-14T05:02:16.645Z",
    "2016-10-14T05:02:16.645000Z",
    "2016-10-14T05:02:16.645999Z",
    "2016-10-14T05:02:16.645999999Z",
    "2016-10-14T05:02:16.645",
    "2016-10-14T05:02:16.645999",
    "2016-10-13T22:02:16.645-07:00",
    "2016-10-14T07:02:16.645+0200",
    "2016-10-14 05:02:16.645 +0000",
    "2016-10-14T05:02:16,645Z",
    "2016-10-14T05:02:16.6459",
    "2016-10-14t05:02:16.645z",
    " 2016-10-14T05:02:16.645Z\n",
)
moments = st.datetimes(timezones=st.just(UTC))


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_time_is_the_same_moment(form: str) -> None:
    """All forms that were seen in the field are read."""
    assert parse_time(form) == MOMENT


def test_a_time_without_a_fraction_is_a_whole_second() -> None:
    """Several forms omit the fraction, or have one digit."""
    second = datetime(2018, 10, 8, 14, 5, 45, tzinfo=UTC)
    assert (
        second
        == parse_time("2018-10-08T14:05:45 +0000")
        == parse_time("2018-10-08T14:05:45Z")
        == parse_time("2018-10-08T14:05:45.0")
    )


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("1476421336", "2016-10-14T05:02:16.000+00:00"),
        ("1476421336.645", "2016-10-14T05:02:16.645+00:00"),
        ("1476421336645", "2016-10-14T05:02:16.645+00:00"),
        ("0", "1970-01-01T00:00:00.000+00:00"),
        ("Fri, 14 Oct 2016 05:02:16 +0200", "2016-10-14T03:02:16.000+00:00"),
        ("14 Oct 2016 05:02:16 GMT", "2016-10-14T05:02:16.000+00:00"),
        ("Fri, 14 Oct 2016 05:02:16 -0000 (UTC)", "2016-10-14T05:02:16.000+00:00"),
        ("1476421336645123", "2016-10-14T05:02:16.645+00:00"),
        ("1476421336645123456", "2016-10-14T05:02:16.645+00:00"),
        ("Oct 14, 2016 5:02:16 PM", "2016-10-14T17:02:16.000+00:00"),
        ("Oct 14, 2016, 5:02:16\u202fAM", "2016-10-14T05:02:16.000+00:00"),
        ("2016-10-14 17:02:16.645 UTC", "2016-10-14T17:02:16.645+00:00"),
        ("2016-10-14T05:02", "2016-10-14T05:02:00.000+00:00"),
        ("2016-10-14T17:02Z", "2016-10-14T17:02:00.000+00:00"),
        ("20161014T170216Z", "2016-10-14T17:02:16.000+00:00"),
    ],
)
def test_numbers_and_mail_dates_are_times(text: str, iso: str) -> None:
    """Archives write seconds or milliseconds since 1970, and some feeds the Date header of a mail."""
    assert parse_time(text) == datetime.fromisoformat(iso)


@pytest.mark.parametrize(
    "text",
    [
        *(None, "", "now", "-1476421336", "2016-10-14", "14 Okt 2016 05:02:16 +0000", "2016-13-14T05:02:16.645Z"),
        *("999999999999999", "1e9", "0x10", "Mon, 32 Oct 2016 05:02:16 +0000", "14 Oct 2016"),
        *("2016-02-30T05:02:16Z", "2016-10-14T05:02:16.Z", "2016-10-14T05:02:16.645Q", "2016-10-14T05:02:16+99:00"),
        *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "٢٠١٦-10-14T05:02:16.645Z"),
        *("Oct 14 2016 5:02 pm", "14 Oct 2016 05:02 p.m.", "20161314T050216Z", "99999999999999999999"),
    ],
)
def test_an_unreadable_time_is_none(text: str | None) -> None:
    """A missing or invalid time is never replaced by the present."""
    assert parse_time(text) is None


@given(moments)
def test_a_formatted_time_is_parsed_to_the_millisecond(moment: datetime) -> None:
    """The format always has the same length."""
    cut = moment.replace(microsecond=moment.microsecond // 1_000 * 1_000)
    assert parse_time(format_time(moment)) == cut
    assert len(format_time(moment)) == len("2016-10-14T05:02:16.645Z")


@given(moments)
def test_milliseconds_are_cut_never_rounded(moment: datetime) -> None:
    """The result is never later than the time."""
    assert timedelta(0) <= moment - from_ms(to_ms(moment)) < timedelta(milliseconds=1)


@given(st.integers(-60_000_000_000_000, 250_000_000_000_000))
def test_milliseconds_survive_a_round_trip(milliseconds: int) -> None:
    """Conversion to a datetime loses nothing."""
    assert to_ms(from_ms(milliseconds)) == milliseconds


def test_milliseconds_are_counted_from_1970() -> None:
    """The epoch is 1970 UTC, as in Parquet and DynamoDB."""
    assert to_ms(EPOCH) == 0
    assert to_ms(MOMENT) == 1_476_421_336_645


def test_a_time_in_another_zone_is_formatted_in_utc() -> None:
    """The offset is applied."""
    assert format_time(datetime.fromisoformat("2016-10-13T22:02:16.645-07:00")) == "2016-10-14T05:02:16.645Z"


@given(st.text(max_size=30))
def test_any_text_can_be_parsed(text: str) -> None:
    """The result is None or a time in UTC."""
    moment = parse_time(text)
    assert moment is None or moment.utcoffset() == timedelta(0)


def test_another_form_of_the_usual_length_is_parsed() -> None:
    """The fast path must not reject what the slow one reads."""
    assert MOMENT.replace(microsecond=640_000) == parse_time("2016-10-14T05:02:16.64 Z")

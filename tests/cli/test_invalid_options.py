"""Options of `replay` and `send` that are invalid are reported in one sentence."""

import pytest

from tests.support.cloud_process import CloudProcess
from tests.support.command import run_failing


@pytest.mark.parametrize("option", ["--since", "--until"])
@pytest.mark.parametrize("wrong", ["", "yesterday", "2026-13-01", "2026-03-01T25:00", "1772323200", "\x1b[31m"])
def test_an_invalid_date_is_rejected(cloud: CloudProcess, option: str, wrong: str) -> None:
    """A text that is neither a date nor a time is a usage error."""
    assert run_failing("replay", option, wrong).startswith("not a date or a time: ")


@pytest.mark.parametrize("extreme", ["0001-01-01T00:00+05:00", "9999-12-31T23:59-05:00"])
def test_a_time_outside_the_calendar_is_rejected(cloud: CloudProcess, extreme: str) -> None:
    """A time that has no equivalent in UTC is a usage error."""
    assert run_failing("replay", "--since", extreme).startswith("not a date or a time: ")


def test_an_empty_time_span_is_rejected(cloud: CloudProcess) -> None:
    """A --since at or after --until is a usage error that names both."""
    for until in ("2026-02-28", "2026-03-01"):
        sentence = run_failing("replay", "--since", "2026-03-01", "--until", until)
        assert "--since" in sentence
        assert "--until" in sentence


@pytest.mark.parametrize("name", ["", "a b", "x" * 256])
def test_an_invalid_table_name_is_rejected(cloud: CloudProcess, name: str) -> None:
    """A name that DynamoDB does not allow is a usage error."""
    assert "invalid table name" in run_failing("replay", "--into", name)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--to", "no-address"], "not an e-mail address"),
        (["--to", ""], "recipient"),
        (["--to", "ann@example.com", "--cc", "no-address"], "not an e-mail address"),
        (["--to", "ann@example.com", "--tag", "campaign"], "not a tag: 'campaign'"),
        (["--to", "ann@example.com", "--tag", "=x"], "not a tag"),
        (["--to", "ann@example.com", "--from", "no-address"], "sender"),
        (["--to", ",".join(f"{number}@example.com" for number in range(51))], "AWS rejects sending the e-mail"),
    ],
)
def test_a_mail_that_cannot_be_sent_is_rejected(cloud: CloudProcess, options: list[str], reason: str) -> None:
    """Invalid recipients, tags and senders are reported without an address."""
    sentence = run_failing("send", *options, exit_code=1 if "no-address" in options else 2)
    assert reason in sentence
    assert "@example.com" not in sentence

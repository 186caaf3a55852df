"""`mailfold demo` shows the whole pipeline, and ends badly if anything in it does not agree."""

import json
import re
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pipeline.decode import decode
from pipeline.event import Event, EventKind
from pipeline.local.eventbridge import Relay
from pipeline.local.firehose.delivery_stream import DeliveryStream
from tests.support.command import WAIT_SECONDS, ended, measuring, run, started

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where all that a cloud leaves must lie."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))


def demonstrated(*options: str) -> dict[str, Any]:
    """Run it in this process, in which it must end well, and return what it tells programs."""
    result = run("demo", "--emails", "60", "--json", *options)
    assert result.exit_code == 0, result.output
    report: dict[str, Any] = json.loads(result.stdout)
    return report


@pytest.mark.parametrize("options", [[], ["--chaos"]], ids=["as it should be", "chaos"])
def test_all_numbers_agree_within_90_seconds(options: list[str]) -> None:
    began_s = time.monotonic()
    result = ended("demo", *options)
    assert time.monotonic() - began_s < 90
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    assert "2,005 e-mails sent" in result.stdout
    assert re.search(r"\n(\d+) of \1 numbers agree, after \d+ s\.\n$", result.stdout)
    assert "DIFFERS" not in result.stdout


def test_every_part_of_it_is_shown() -> None:
    shown = ended("demo", "--emails", "500", "--chaos").stdout
    for part in (
        r"\nThe log: events by type\n  send +505\n",
        r"\nin \d+ Parquet objects of [\d.]+ [kM]B\n",
        r"\n\d+ bounces and complaints published, \d+ records consumed\n",
        r"\n\d+ addresses suppressed in the table\n  hard +\d+\n",
        r"\nAthena\nSELECT .*\n(.*\n)*┏━",
        r"\nLook-ups, as a sender makes them\n(\S+@\S+: (suppressed \(\w+\) since .*|clear)\n(  .*\n)*){3}",
        r"\n\d+ items of the live table healed: feedback was lost on its way, the log has it\n",
        r"\n[\d,]+ rows of the log, \d+ facts, into an empty table: \d+ items\ndigest [0-9a-f]{64}\n",
    ):
        assert re.search(part, shown), part


def test_it_fits_a_terminal_of_80_columns() -> None:
    """But for texts that cannot be broken: SQL, and what servers said."""
    shown = ended("demo", "--emails", "60").stdout
    checks = shown.partition("What must agree\n")[2]
    assert max(map(len, checks.splitlines())) <= 80


def test_the_same_seed_sends_the_same_and_another_does_not() -> None:
    first, second, other = demonstrated("--seed", "7"), demonstrated("--seed", "7"), demonstrated("--seed", "8")
    assert first["events"] == second["events"] != other["events"]
    assert first["suppressed"] == second["suppressed"]


def test_a_program_is_told_everything() -> None:
    report = demonstrated()
    assert set(report) == {
        *("emails", "records_published", "events", "objects", "object_bytes", "feedback_published"),
        *("feedback_consumed", "suppressed", "sql", "answer", "lookups", "replayed", "healed", "digest", "checks"),
    }
    assert report["emails"] == report["events"]["send"] == 65
    assert all(check["expected"] == check["found"] for check in report["checks"])
    assert {"asked", "address", "suppressed", "reason", "since"} <= set(report["lookups"][0])


def test_one_bounce_lost_on_the_way_to_the_table_is_a_disagreement(monkeypatch: pytest.MonkeyPatch) -> None:
    """The checks can fail: nothing is compared with itself."""
    _lose_a_bounce(monkeypatch, Relay, "deliver")
    _assert_disagreement("feedback records consumed", "addresses suppressed: hard", "digest of the live table")


def test_one_bounce_lost_on_the_way_to_the_log_is_a_disagreement(monkeypatch: pytest.MonkeyPatch) -> None:
    _lose_a_bounce(monkeypatch, DeliveryStream, "put")
    _assert_disagreement("bounce events in the log", "by SQL over the log", "digest of the table replayed from the log")


def test_a_bounce_lost_on_the_way_to_the_table_is_healed_from_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    _lose_a_bounce(monkeypatch, Relay, "deliver")
    assert demonstrated("--chaos", "--seed", "2")["healed"]["written"] >= 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupt_ends_it_with_130_and_nothing_is_left(tmp_path: Path, number: signal.Signals) -> None:
    with started("demo", "--emails", "100000") as process:
        while not list(tmp_path.glob("mailfold-athena-*")):  # until the cloud is there
            assert process.poll() is None
            time.sleep(0.05)
        time.sleep(2)  # in the middle of sending
        process.send_signal(number)
        output, words = process.communicate(timeout=WAIT_SECONDS)
    assert (process.returncode, output, words) == (130, "", "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.timeout(240)
def test_20_000_emails_take_under_3_minutes_and_under_600_mb(tmp_path: Path) -> None:
    began_s, peak = time.monotonic(), tmp_path / "peak"
    ran = subprocess.run(  # noqa: S603 - our own command
        measuring(peak, "demo", "--emails", "20000", "--json"), stdout=subprocess.PIPE, check=True, timeout=180
    )
    assert time.monotonic() - began_s < 180
    assert int(peak.read_text()) < 600_000_000
    assert json.loads(ran.stdout)["emails"] == 20_005


@pytest.mark.parametrize("options", [["--emails", "-1"], ["--emails", "0"], ["--emails", "many"], ["--seed", "x"]])
def test_what_cannot_be_sent_is_refused(options: list[str]) -> None:
    result = run("demo", *options)
    assert result.exit_code == 2
    assert f"Invalid value for '{options[0]}'" in result.stderr


def _lose_a_bounce(monkeypatch: pytest.MonkeyPatch, part: type, method: str) -> None:
    """Let a part of the cloud drop one bounce that says that there is no such mailbox."""
    lost: list[bytes] = []
    original = getattr(part, method)

    def lossy(self: Any, events: Sequence[bytes]) -> Any:
        kept = []
        for event in events:
            if not lost and _is_hard_bounce(event):
                lost.append(event)
            else:
                kept.append(event)
        return original(self, kept) if kept else []

    monkeypatch.setattr(part, method, lossy)


def _is_hard_bounce(record: bytes) -> bool:
    [event] = decode(record)
    return (
        isinstance(event, Event)
        and event.kind is EventKind.BOUNCE
        and b'"bounceType":"Permanent","bounceSubType":"General"' in record
        and b"simulator" not in record
    )


def _assert_disagreement(*what: str) -> None:
    result = run("demo", "--emails", "200", "--seed", "2")
    assert result.exit_code == 1
    [sentence] = result.stderr.splitlines()
    assert re.match(r"mailfold: \d+ of \d+ numbers disagree: ", sentence)
    assert all(part in sentence for part in what)
    assert result.stdout.count("DIFFERS") >= len(what)

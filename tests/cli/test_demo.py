"""`mailfold demo` shows the whole pipeline, and fails if any of its numbers disagree."""

import json
import re
import signal
import subprocess
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.decode import decode
from pipeline.event import Event, EventKind
from pipeline.local.athena import Athena
from pipeline.local.cloud import LocalCloud
from pipeline.local.eventbridge import Relay
from pipeline.local.firehose import buffer, delivery_stream
from pipeline.local.firehose.buffer import Buffer
from pipeline.local.firehose.delivery_stream import DeliveryStream
from pipeline.local.gateway.backend import Moto
from pipeline.local.gateway.server import Server
from tests.support.command import WAIT_SECONDS, measuring, run, run_process, started
from tests.support.waiting import until

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder for all temporary files of a cloud."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


def report_of(*options: str) -> dict[str, Any]:
    """Run a small demo in this process, which must succeed, and return its report."""
    result = run("demo", "--emails", "60", "--json", *options)
    assert result.exit_code == 0, result.output
    report: dict[str, Any] = json.loads(result.stdout)
    return report


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    """The report of one demo."""
    return report_of("--seed", "7")


@pytest.mark.parametrize("options", [[], ["--chaos"]], ids=["without faults", "chaos"])
def test_all_numbers_agree(options: list[str]) -> None:
    """The default demo succeeds in another process, and its output has each part."""
    result = run_process("demo", *options)
    assert (result.returncode, result.stderr) == (0, "")
    assert "DIFFERS" not in result.stdout
    healed = r"\n\d+ items of the live table healed: feedback was lost in transit, the log has it\n"
    for part in (
        r"^2,005 e-mails sent; SES published [\d,]+ records\n",
        r"\nThe log: events by type\n  send +2,005\n",
        r"\nin (1 Parquet object|\d+ Parquet objects) of [\d.]+ [kM]B\n",
        r"\n\d+ bounces and complaints published, \d+ records consumed\n",
        r"\n\d+ addresses suppressed in the table\n  hard +\d+\n",
        r"\nAthena\nSELECT .*\n(.*\n)*┏━",
        r"\nLook-ups, as a sender makes them\n(\S+@\S+: (suppressed \([\w ]+\) since .*|clear)\n(  .*\n)*){3}",
        r"\n[\d,]+ rows of the log, \d+ facts, into an empty table: \d+ items\ndigest [0-9a-f]{64}\n",
        r"\n(\d+) of \1 numbers agree, after \d+ s\.\n$",
        *([healed] if options else []),
    ):
        assert re.search(part, result.stdout), part
    checks = result.stdout.partition("What must agree\n")[2]
    assert max(map(len, checks.splitlines())) <= 80, "the table of checks does not fit a terminal of 80 columns"


def test_one_is_not_many(report: dict[str, Any]) -> None:
    """The numbers of a small demo have grammatical nouns."""
    said = run("demo", "--emails", "1").stdout
    assert re.search(r"^in 1 Parquet object of ", said, re.MULTILINE)
    assert not re.search(r"(?<![\d,])1 (rows|facts|items|addresses|Parquet objects)\b", said)


def test_the_same_seed_sends_the_same_and_another_does_not(report: dict[str, Any]) -> None:
    """Events and suppressions follow from the seed."""
    same, other = report_of("--seed", "7"), report_of("--seed", "8")
    assert report["events"] == same["events"] != other["events"]
    assert report["suppressed"] == same["suppressed"]


def test_the_report_as_json_is_complete(report: dict[str, Any]) -> None:
    """`--json` prints each field of the report, and all checks agree."""
    assert set(report) == {
        *("emails", "records_published", "events", "objects", "object_bytes", "feedback_published"),
        *("feedback_consumed", "suppressed", "sql", "answer", "lookups", "replayed", "healed", "digest", "checks"),
    }
    assert report["emails"] == report["events"]["send"] == 65
    assert all(check["expected"] == check["actual"] for check in report["checks"])
    assert {"requested", "address", "suppressed", "reason", "since"} <= set(report["lookups"][0])


def test_a_bounce_lost_on_the_way_to_the_table_disagrees(monkeypatch: pytest.MonkeyPatch) -> None:
    """The checks can fail: the table is not compared with itself."""
    _lose_a_bounce(monkeypatch, Relay, "deliver")
    _assert_disagreement("feedback records consumed", "addresses suppressed: hard", "digest of the live table")


def test_a_bounce_lost_on_the_way_to_the_log_disagrees(monkeypatch: pytest.MonkeyPatch) -> None:
    """The checks can fail: the log is not compared with itself."""
    _lose_a_bounce(monkeypatch, DeliveryStream, "put")
    _assert_disagreement("bounce events in the log", "by SQL over the log", "digest of the table replayed from the log")


def test_the_log_heals_a_bounce_lost_on_the_way_to_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """With `--chaos`, the replay into the live table restores what the feedback lost."""
    _lose_a_bounce(monkeypatch, Relay, "deliver")
    assert report_of("--chaos", "--seed", "2")["healed"]["written"] >= 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_with_130_and_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    """Sent twice once the cloud starts, each signal ends the process without a message or a file."""
    with started("demo", "--emails", "100000") as process:
        assert until(lambda: list(tmp_path.glob("mailfold-athena-*")), timeout_seconds=WAIT_SECONDS)
        process.send_signal(number)
        process.send_signal(number)
        output, errors = process.communicate(timeout=WAIT_SECONDS)
    assert (process.returncode, output, errors) == (130, "", "")
    assert list(tmp_path.iterdir()) == []


def test_a_signal_is_safe_wherever_it_arrives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal inside a lock, a finalizer or a cleanup neither gets lost nor interrupts it.

    Each place once ended the command with a traceback, or left threads and files behind.
    """
    places: list[str] = []
    _signal_while_a_lock_is_acquired(monkeypatch, places)
    _signal_before(monkeypatch, LocalCloud, "publish", lambda: _Finalized(places))
    parts: tuple[type, ...] = (Athena, DeliveryStream, Server, Moto)
    for part in parts:
        _signal_before(monkeypatch, part, "close", partial(_send_signal, places, part.__name__))
    threads = set(threading.enumerate())
    result = run("demo", "--emails", "100000")
    assert (result.exit_code, result.output) == (130, "")
    assert set(places) == {"lock", "finalizer", *(part.__name__ for part in parts)}
    assert set(threading.enumerate()) <= threads
    assert list(tmp_path.iterdir()) == []


@pytest.mark.timeout(240)
def test_20_000_emails_need_less_than_600_mb(tmp_path: Path) -> None:
    """A larger demo succeeds, and its memory does not grow with the log."""
    peak = tmp_path / "peak"
    result = subprocess.run(  # noqa: S603 - our own command
        measuring(peak, "demo", "--emails", "20000", "--json"), stdout=subprocess.PIPE, check=True, timeout=900
    )
    assert int(peak.read_text()) < 600_000_000
    assert json.loads(result.stdout)["emails"] == 20_005


@pytest.mark.parametrize("options", [["--emails", "-1"], ["--emails", "0"], ["--emails", "many"], ["--seed", "x"]])
def test_an_invalid_option_is_rejected(options: list[str]) -> None:
    """The message names the option."""
    result = run("demo", *options)
    assert result.exit_code == 2
    assert f"Invalid value for '{options[0]}'" in result.stderr


def _lose_a_bounce(monkeypatch: pytest.MonkeyPatch, part: type, method: str) -> None:
    """Make a part of the cloud lose one bounce of a mailbox that does not exist."""
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


def _assert_disagreement(*checks: str) -> None:
    result = run("demo", "--emails", "200", "--seed", "2")
    assert result.exit_code == 1
    [sentence] = result.stderr.splitlines()
    assert re.match(r"mailfold: \d+ of \d+ numbers disagree: ", sentence)
    assert all(check in sentence for check in checks)
    assert result.stdout.count("DIFFERS") >= len(checks)


def _send_signal(places: list[str], place: str) -> None:
    """Send the process a signal in the main thread, where Python handles it before the next instruction."""
    if threading.current_thread() is threading.main_thread():
        places.append(place)
        signal.raise_signal(signal.SIGINT)


def _signal_before(monkeypatch: pytest.MonkeyPatch, part: type, method: str, send: Callable[[], object]) -> None:
    original = getattr(part, method)

    def signaled(self: Any, *arguments: Any) -> Any:
        send()
        return original(self, *arguments)

    monkeypatch.setattr(part, method, signaled)


class _Finalized:
    """An object in whose finalizer a signal arrives. Python prints an exception there, and ignores it."""

    def __init__(self, places: list[str]) -> None:
        self._places = places

    def __del__(self) -> None:
        _send_signal(self._places, "finalizer")


class _SignaledLock:
    """A lock that gets a signal before a condition acquires it again at the end of a wait.

    An exception there leaves the lock unacquired, so that the `with` block around it ends in a RuntimeError.
    """

    def __init__(self, places: list[str]) -> None:
        self._places = places
        self._lock: Any = threading.RLock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._lock, name)

    def _acquire_restore(self, state: Any) -> None:
        if "lock" not in self._places:
            _send_signal(self._places, "lock")
        self._lock._acquire_restore(state)


def _signal_while_a_lock_is_acquired(monkeypatch: pytest.MonkeyPatch, places: list[str]) -> None:
    """Let the first put of a record wait for room, and send the signal at the end of that wait."""
    rooms = iter([False])
    has_room = Buffer._has_room
    lock: Any = _SignaledLock(places)
    monkeypatch.setattr(buffer, "threading", SimpleNamespace(Condition=lambda: threading.Condition(lock)))
    monkeypatch.setattr(Buffer, "_has_room", lambda self: next(rooms, True) and has_room(self))
    monkeypatch.setattr(delivery_stream, "PUT_TIMEOUT_SECONDS", 0.05)

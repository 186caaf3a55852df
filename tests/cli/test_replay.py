"""`mailfold replay` says what is done when a part of it fails."""

import json
from collections.abc import Callable
from uuid import uuid4

import pytest

from pipeline.cli.failures import exit_code
from pipeline.errors import AccessDenied, ArchiveUnavailable, StoreUnavailable
from pipeline.replay import ReplayResult
from tests.cli.test_ingest import a_bounce
from tests.support.cloud_process import CloudProcess
from tests.support.command import json_lines, run, run_failing, run_ok


@pytest.mark.parametrize(
    ("error", "rows", "said"),
    [
        (KeyboardInterrupt(), 0, True),
        (KeyboardInterrupt(), 2_000, True),
        (ArchiveUnavailable("slow"), 2_000, True),
        (ArchiveUnavailable("slow"), 0, False),
    ],
    ids=["interrupted at once", "interrupted", "outage", "outage at once"],
)
def test_a_fold_that_stops_says_how_far_it_got(
    error: BaseException, rows: int, said: bool, cloud: CloudProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is folded stays in the table. If an outage comes before it, there is nothing to say."""

    def fold(*_: object, progress: Callable[[ReplayResult], None], **__: object) -> None:
        progress(ReplayResult(rows=rows, facts=10, written=1, unchanged=3))
        raise error

    monkeypatch.setattr("pipeline.cli.replay.replay", fold)
    result = run("replay")
    line = f"stopped after {rows:,} rows of the log, 10 facts: 1 item written, 3 unchanged: repeating changes nothing"
    assert (result.stdout, line in result.stderr) == ("", said)
    assert result.exit_code == exit_code(error)


@pytest.mark.parametrize(
    "error",
    [StoreUnavailable("the table is slow"), AccessDenied("no Scan"), KeyboardInterrupt()],
    ids=["slow", "denied", "interrupted"],
)
def test_a_digest_that_fails_does_not_hide_a_complete_fold(
    error: BaseException, cloud: CloudProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table is read for the digest alone, after everything is folded into it."""

    def fail(_: object) -> str:
        raise error

    monkeypatch.setattr("pipeline.cli.replay.store_digest", fail)
    result = run("replay")
    said = result.stderr.splitlines()
    assert said[0].endswith("unchanged: the fold is complete, only its digest is not computed")
    assert said[1:] == ([f"mailfold: {error}"] if str(error) else [])
    assert result.exit_code == exit_code(error)


def test_athena_folds_the_log_to_the_same_digest(cloud: CloudProcess) -> None:
    """Each address is written once, and a repetition writes nothing."""
    addresses = [f"{uuid4().hex[:8]}@example.com" for _ in range(3)]
    run_ok("ingest", "-", stdin="\n".join(json.dumps(a_bounce(address)) for address in addresses))
    table = f"by-athena-{uuid4().hex[:8]}"

    [first] = json_lines("replay", "--by-athena", "--into", table, "--json")
    [again] = json_lines("replay", "--by-athena", "--into", table, "--json")
    [read_here] = json_lines("replay", "--into", f"{table}-2", "--json")

    assert first["written"] == again["unchanged"] == read_here["written"] >= len(addresses)
    assert again["written"] == 0
    assert first["digest"] == again["digest"] == read_here["digest"]
    assert "items written" in run_ok("replay", "--by-athena", "--into", f"{table}-3")


def test_athena_folds_no_part_of_the_log(cloud: CloudProcess) -> None:
    """Its bounds are hours of the log, and those of the options are times of events."""
    assert "leave out --since" in run_failing("replay", "--by-athena", "--since", "2026-03-01")


def test_athena_does_not_fold_rows_that_it_cannot_decode(cloud: CloudProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """The table would lack their facts."""
    monkeypatch.setattr("pipeline.cli.replay.AthenaFold.other_rows", lambda _: 2)
    assert run_failing("replay", "--by-athena").startswith("2 rows of another decoder")

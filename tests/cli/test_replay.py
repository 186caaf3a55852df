"""`mailfold replay` says what is done when a part of it fails."""

from collections.abc import Callable

import pytest

from pipeline.cli.failures import exit_code
from pipeline.errors import AccessDenied, ArchiveUnavailable, StoreUnavailable
from pipeline.replay import ReplayResult
from tests.support.cloud_process import CloudProcess
from tests.support.command import run


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

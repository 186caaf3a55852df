"""`mailfold replay` says what is done when a part of it fails."""

from collections.abc import Callable

import pytest

from pipeline.errors import AccessDenied, StoreUnavailable
from pipeline.replay import ReplayResult
from tests.support.cloud_process import CloudProcess
from tests.support.command import run


def test_an_interrupted_fold_says_how_far_it_got(cloud: CloudProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is folded stays in the table."""

    def fold(*_: object, progress: Callable[[ReplayResult], None], **__: object) -> None:
        progress(ReplayResult(rows=2_000, facts=10, written=1, unchanged=3))
        raise KeyboardInterrupt

    monkeypatch.setattr("pipeline.cli.replay.replay", fold)
    result = run("replay")
    assert (result.exit_code, result.stdout) == (130, "")
    assert result.stderr == (
        "stopped after 2,000 rows of the log, 10 facts: 1 item written, 3 unchanged: "
        "repeating changes nothing that is folded\n"
    )


@pytest.mark.parametrize(
    ("error", "exit_code"),
    [(StoreUnavailable("the table is slow"), 5), (AccessDenied("no Scan"), 3), (KeyboardInterrupt(), 130)],
    ids=["slow", "denied", "interrupted"],
)
def test_a_digest_that_fails_does_not_hide_a_complete_fold(
    error: BaseException, exit_code: int, cloud: CloudProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table is read for the digest alone, after everything is folded into it."""

    def fail(_: object) -> str:
        raise error

    monkeypatch.setattr("pipeline.cli.replay.store_digest", fail)
    result = run("replay")
    said = result.stderr.splitlines()
    assert said[0].endswith("unchanged: the fold is complete, only its digest is not computed")
    assert said[1:] == ([f"mailfold: {error}"] if str(error) else [])
    assert result.exit_code == exit_code

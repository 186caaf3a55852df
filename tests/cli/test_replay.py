"""`mailfold replay` says what is done when a part of it fails."""

import pytest

from pipeline.errors import AccessDenied, StoreUnavailable
from tests.support.cloud_process import CloudProcess
from tests.support.command import run


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

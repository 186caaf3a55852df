"""Tests of `pipeline.verdict`: when a verdict ends, and how the verdicts of several scopes join."""

from datetime import UTC, datetime

from pipeline.verdict import Reason, ReasonHeld, Verdict, join_verdicts

FIRST, SECOND = (datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2))
LISTED, SOFT = ReasonHeld(reason=Reason.LISTED, until=FIRST), ReasonHeld(reason=Reason.SOFT, until=SECOND)


def test_a_verdict_ends_with_its_last_reason() -> None:
    """One without an end holds for good."""
    assert Verdict(reasons=(LISTED, SOFT)).until == SECOND
    assert Verdict(reasons=(LISTED, ReasonHeld(reason=Reason.HARD))).until is None


def test_a_reason_of_two_scopes_is_named_once() -> None:
    """Joining a verdict with itself changes nothing."""
    verdict = Verdict(reasons=(LISTED, SOFT))
    assert join_verdicts([verdict, verdict]) == verdict

"""The metrics of reconciliations and drills, as alarms watch them."""

from datetime import timedelta

from pipeline.aws.archive.proof import Proof
from pipeline.aws.reconciliation import NEVER_PROVED_DAYS, drill_metrics, reconcile_metrics
from pipeline.drill import DrillResult
from pipeline.reconcile import ReconcileResult
from tests.support.builders import OCCURRED_AT

NOW = OCCURRED_AT + timedelta(days=3)


def a_proof(*, is_proved: bool = True) -> Proof:
    """Return the proof of a drill three days ago."""
    result = DrillResult(missing=1, stale=2, extra=3)
    proved_at = OCCURRED_AT if is_proved else None
    return Proof(table="live", drilled_at=OCCURRED_AT, proved_at=proved_at, result=result)


def test_the_counts_of_a_reconciliation_are_metrics_zeros_included() -> None:
    """An alarm must distinguish none from no data."""
    found = ReconcileResult(compared=9, missing=1, stale=2, healed=3, shadow_healed=4, rejected=5)

    assert reconcile_metrics(found, surges=6, proof=a_proof(), now=NOW) == {
        "LackingItems": 3,
        "ComparedItems": 9,
        "MissingItems": 1,
        "StaleItems": 2,
        "HealedItems": 7,
        "RejectedItems": 5,
        "BounceSurges": 6,
        "DaysSinceProved": 3,
    }
    assert set(reconcile_metrics(ReconcileResult(), surges=0, proof=None, now=NOW).values()) == {0, NEVER_PROVED_DAYS}


def test_surges_that_were_not_searched_for_are_not_published_as_none() -> None:
    """The alarm keeps its state."""
    assert "BounceSurges" not in reconcile_metrics(ReconcileResult(), surges=None, proof=None, now=NOW)


def test_the_age_of_the_proof_grows_until_a_drill_finds_no_difference() -> None:
    """A table that was never proved is older than any alarm allows."""
    assert drill_metrics(a_proof(), NOW) == {
        "DaysSinceProved": 3,
        "DrillMissingItems": 1,
        "DrillStaleItems": 2,
        "DrillExtraItems": 3,
    }
    assert drill_metrics(a_proof(is_proved=False), NOW)["DaysSinceProved"] == NEVER_PROVED_DAYS

"""Check of the last drill: whether the table was proved equal to the log, and how long ago."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from pipeline.aws.archive.proof import Proof, read_proof
from pipeline.aws.doctor.deployment import Deployment
from pipeline.aws.doctor.finding import Finding, error, ok, warning
from pipeline.aws.errors import missing_ok

PROVED_WITHIN = timedelta(days=14)  # two drills of the default schedule, which is weekly
HEAL, ADOPT, DRILL = "reconcile --heal --since 1970-01-01", "reconcile --adopt", "drill"


def check_proof(deployment: Deployment) -> Iterator[Finding]:
    """Check that a drill proved log and table equal within two weeks, and that the last one found no difference."""
    proof = read_proof(deployment.clients.s3, bucket=deployment.output("LogBucket"))
    if proof is None:
        created_at = _created_at(deployment)
        if created_at and deployment.now - created_at > PROVED_WITHIN:
            message = "no drill ever proved that the table equals the log: lost feedback would not be noticed"
            yield warning("table_never_proved", message, remedy=deployment.mailfold_command(DRILL))
        return
    yield from _check_result(deployment, proof)
    if proof.proved_at and proof.result.is_proved:
        message = f"the table was proved equal to the log {proof.days_since_proved(deployment.now):.1f} days ago"
        if deployment.now - proof.proved_at > PROVED_WITHIN:
            remedy = deployment.mailfold_command(DRILL)
            yield warning("table_proof_old", f"{message}: lost feedback since then may be unnoticed", remedy=remedy)
        else:
            yield ok(message)


def _check_result(deployment: Deployment, proof: Proof) -> Iterator[Finding]:
    result, remedy = proof.result, deployment.mailfold_command
    if lacking := result.missing + result.stale:
        message = f"the last drill found {lacking:,} addresses of which the table lacks facts: senders may mail them"
        yield error("table_lacks_facts", message, remedy=f"{remedy(HEAL)}, then {remedy(DRILL)}")
    if result.extra:
        message = f"the last drill found {result.extra:,} addresses with facts that the log lacks: a rebuild loses them"
        yield warning("log_lacks_facts", message, remedy=f"{remedy(ADOPT)}, then {remedy(DRILL)}")


def _created_at(deployment: Deployment) -> datetime | None:
    """Return when the live table was created; None if it does not exist, which another check reports."""
    table = deployment.live_table()
    answer = missing_ok(lambda: deployment.clients.dynamodb.describe_table(TableName=table))
    return answer["Table"]["CreationDateTime"] if answer else None

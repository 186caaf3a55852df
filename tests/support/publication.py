"""Run a function's handler or the consumer with a record of every kind. It prints what CloudWatch would receive.

A handler reads its name when it is imported, so it runs in its own process.
Example: python -m tests.support.publication Projector
"""

import sys
from types import SimpleNamespace

from pipeline.aws.archive.proof import Proof
from pipeline.aws.reconciliation import drill_metrics, reconcile_metrics
from pipeline.aws.settings import service_name
from pipeline.batch import StreamRecord
from pipeline.drill import DrillResult
from pipeline.memory import MemoryQuarantine, MemoryStore
from pipeline.policy import DEFAULT_POLICY
from pipeline.projection import BatchProjector
from pipeline.reconcile import ReconcileResult
from tests.support.builders import OCCURRED_AT, a_bounce, a_decision, a_record, one_of_each, some_evidence
from tests.support.lambda_events import Context, a_firehose_event, a_kinesis_event

PAYLOADS = [*one_of_each().values(), a_decision(), some_evidence(), a_record("Levitation", {}), b"no JSON at all"]


def transform() -> None:
    """Call the transform like Firehose."""
    from pipeline.aws.lambdas.transform import handler  # noqa: PLC0415 - reads its environment when imported

    handler(a_firehose_event(*PAYLOADS), Context())


def project() -> None:
    """Call the projector like the event source mapping, with a table in memory."""
    from pipeline.aws.lambdas import projector  # noqa: PLC0415 - reads its environment when imported

    batch_projector = BatchProjector(store=MemoryStore(), quarantine=MemoryQuarantine(), policy=DEFAULT_POLICY)
    runtime = SimpleNamespace(projector=lambda: batch_projector, log=None)
    projector._runtime = lambda: runtime  # type: ignore[assignment]  # the part that is used
    projector.handler(a_kinesis_event(a_bounce(), *PAYLOADS), Context())


def consume() -> None:
    """Process a batch like the record processor of the Kinesis Client Library."""
    from aws_lambda_powertools import Logger  # noqa: PLC0415 - reads its environment when imported

    from pipeline.aws.kcl.telemetry import Telemetry  # noqa: PLC0415 - the same

    service = service_name("consumer")
    telemetry = Telemetry(service=service, logger=Logger(service=service, stream=sys.stderr))
    batch_projector = BatchProjector(store=MemoryStore(), quarantine=MemoryQuarantine(), policy=DEFAULT_POLICY)
    batch = [StreamRecord(payload=payload, position="") for payload in (a_bounce(), *PAYLOADS)]
    telemetry.report_result(batch_projector.project(batch), records=len(batch))
    telemetry.report_batch(records=len(batch), millis_behind_latest=0, checkpoint_age_seconds=0)


def reconcile() -> None:
    """Call the reconciler with both tasks; what it compares is empty."""
    from pipeline.aws.lambdas import reconciler  # noqa: PLC0415 - reads its environment when imported

    proof = Proof(table="", drilled_at=OCCURRED_AT, proved_at=None, result=DrillResult())
    values = reconcile_metrics(ReconcileResult(), surges=0, proof=proof, now=OCCURRED_AT)
    results = {"reconcile": values, "drill": drill_metrics(proof, OCCURRED_AT)}
    vars(reconciler).update(read_settings=lambda: None, perform=lambda task, **_: results[task.action])
    for action in results:
        reconciler.handler({"action": action, "database": "mail", "workgroup": "mail"}, Context())


if __name__ == "__main__":
    {"Transform": transform, "Projector": project, "Reconciler": reconcile, "ConsumerTask": consume}[sys.argv[1]]()

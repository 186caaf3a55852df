"""Check of the rebuild of the suppression table: one that is not over costs a second table, and blocks the next."""

from collections.abc import Iterator

from pipeline.aws.doctor.deployment import Deployment
from pipeline.aws.doctor.finding import Finding, warning
from pipeline.aws.rebuild_state import RebuildState
from pipeline.rebuild import RebuildStep


def check_rebuild(deployment: Deployment) -> Iterator[Finding]:
    """Check that no rebuild stopped before its end. One whose process runs is no problem."""
    stored = RebuildState(deployment.clients.s3, bucket=deployment.output("LogBucket")).read()
    if stored is None or deployment.now < stored.rebuild.held_until:
        return
    rebuild = stored.rebuild
    if rebuild.step in {RebuildStep.FLIPPED, RebuildStep.FINISHING}:
        message = f"every fact is still written into {rebuild.old_table} too: {rebuild.sentence}"
        yield warning("rebuild_unfinished", message, remedy=deployment.mailfold_command("rebuild --finish"))
    else:
        command = "--cancel" if rebuild.step is RebuildStep.CANCELLING else "--resume --yes"
        message = f"a rebuild has stopped: {rebuild.sentence}"
        yield warning("rebuild_stopped", message, remedy=deployment.mailfold_command(f"rebuild {command}"))

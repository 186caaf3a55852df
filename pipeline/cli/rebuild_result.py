"""What `mailfold rebuild` prints: what the comparison found, and what to do next."""

from collections.abc import Iterator, Mapping

import msgspec

from pipeline.aws.rebuild_proof import TableProof
from pipeline.cli.output import counted, say, to_people, write_json
from pipeline.rebuild import Rebuild, RebuildStep
from pipeline.timestamp import format_time


def proof_lines(proof: TableProof, rebuild: Rebuild) -> Iterator[str]:
    """Yield what the comparison found, as lines for people."""
    comparison = proof.comparison
    yield (
        f"{rebuild.new_table} has every row that was in the log at {format_time(proof.position)}: "
        f"{counted(comparison.addresses, 'address', 'addresses')} compared"
    )
    yield f"digest of the log        {comparison.log_digest}"
    yield f"digest of the new table  {comparison.new_digest}"
    yield f"digest of the live table {comparison.live_digest}"
    if comparison.ahead:
        yield f"{counted(comparison.ahead, 'address', 'addresses')} with facts that the log does not show yet"
    for verb, kinds in (("disappear", comparison.disappearing), ("appear", comparison.appearing)):
        yield f"facts that {verb}: " + (", ".join(f"{number:,} {kind}" for kind, number in kinds.items()) or "none")


def report_result(rebuild: Rebuild, *, json: bool, more: Mapping[str, object]) -> None:
    """Print the state of the rebuild, and what to do next; or, as JSON, the state and more."""
    if json:
        write_json(msgspec.to_builtins(rebuild) | more)
        return
    say([_next(rebuild)], to=to_people())


def _next(rebuild: Rebuild) -> str:
    match rebuild.step:
        case RebuildStep.FLIPPED:
            return (
                f"{rebuild.new_table} is the live table; {rebuild.old_table} is written too, until "
                "`mailfold rebuild --finish`; `mailfold rebuild --rollback` returns to it"
            )
        case RebuildStep.ROLLED_BACK:
            return (
                f"{rebuild.old_table} is the live table again; `mailfold rebuild --resume` compares both, "
                f"`mailfold rebuild --cancel` deletes {rebuild.new_table}"
            )
        case RebuildStep.FINISHING:
            return f"{rebuild.new_table} is the live table; the rebuild is over"
        case RebuildStep.CANCELLING:
            return f"{rebuild.old_table} is the live table, as before; {rebuild.new_table} is deleted"
    return "nothing changed: `mailfold rebuild --resume` compares again, `mailfold rebuild --cancel` ends the rebuild"

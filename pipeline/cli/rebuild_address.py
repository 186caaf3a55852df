"""`mailfold rebuild --address`: the items of one address get the facts of the log, and no others."""

from collections.abc import Iterator

from rich.progress import SpinnerColumn, TimeElapsedColumn

from pipeline.address import canonical
from pipeline.address_rebuild import AddressRebuild, fold_address, put_address
from pipeline.aws.archive.s3 import S3Archive
from pipeline.aws.dynamodb import DynamoSuppressionStore
from pipeline.aws.rebuild_proof import UnloggedFacts
from pipeline.cli.output import counted, progress, results, say, write_json
from pipeline.cli.prompt import ask_yes_no
from pipeline.cli.target import Target
from pipeline.difference import Difference, FactsByKind
from pipeline.errors import NotAnAddress
from pipeline.standing import EVERY_SCOPE
from pipeline.timestamp import format_time, from_ms

NO_TERMINAL = "facts disappear, and there is no terminal to ask on: add --yes"


def rebuild_one(text: str, cloud: Target, *, yes: bool, drop_unlogged: bool, json: bool) -> None:
    """Rebuild the items of one address in the live table, in all scopes, after a yes if facts disappear.

    Raises:
        NotAnAddress: The text is not exactly one address.
        UnloggedFacts: Facts would be lost whose events are not in the log.
        UsageError: There is no terminal to ask on, or an item changed meanwhile.
        Unavailable: The log or the table is throttled or unreachable. Or another error of `STOPS_BATCH`.
    """
    address = canonical(text)
    if address is None:
        raise NotAnAddress("the value of --address is not exactly one e-mail address")
    store = DynamoSuppressionStore(cloud.clients.dynamodb, table=cloud.settings.table)
    archive = S3Archive(cloud.clients.s3, bucket=cloud.settings.bucket)
    with progress(SpinnerColumn(), "{task.description}", TimeElapsedColumn()) as display:
        task = display.add_task("reading the log")
        found = fold_address(
            address,
            store.items_of(address),
            archive,
            progress=lambda parts: display.update(task, description=f"{counted(parts, 'part')} of the log read"),
        )
    if not json:
        say(address_lines(found), to=results())
    if found.unlogged and not drop_unlogged:
        raise UnloggedFacts(
            "the table has facts whose events are not in the log: repeat the command when the log shows them, or let "
            "them disappear with --drop-unlogged"
        )
    is_wanted = yes or not found.disappearing or ask_yes_no("let these facts disappear?", no_terminal=NO_TERMINAL)
    changed = put_address(found, store=store, policy=cloud.settings.policy) if is_wanted else 0
    if json:
        write_json({"changed": changed, "differences": [_difference_object(each) for each in found.differences]})
    else:
        say([f"{counted(changed, 'item')} changed"], to=results())


def address_lines(found: AddressRebuild) -> Iterator[str]:
    """Yield the differences as lines for people."""
    if not found.differences:
        yield "the table has the facts of the log, and no others"
    for difference in found.differences:
        scope = "" if difference.key.scope == EVERY_SCOPE else f" in {difference.key.scope}"
        yield from (f"appears{scope}: {line}" for line in _fact_lines(difference.missing))
        yield from (f"disappears{scope}: {line}" for line in _fact_lines(difference.extra))


def _fact_lines(facts: FactsByKind) -> Iterator[str]:
    for kind, evidence in facts:
        at = format_time(from_ms(evidence.at_ms)) if evidence.at_ms else "at an unknown time"
        yield f"{kind} {at}, event {evidence.event_id}"


def _difference_object(difference: Difference) -> dict[str, object]:
    return {
        "scope": difference.key.scope,
        "appears": [{"fact": kind, "event_id": evidence.event_id} for kind, evidence in difference.missing],
        "disappears": [{"fact": kind, "event_id": evidence.event_id} for kind, evidence in difference.extra],
    }

"""`mailfold undo`: show the decisions of one request, and take them back together."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline.aws.archive.requests import decisions_of
from pipeline.cli.decide import DecisionTarget, carry_out, decision_target
from pipeline.cli.decision_options import (
    AlsoSesOption,
    AuthorOption,
    DecisionOptions,
    DryRunOption,
    JsonOption,
    NoWaitOption,
    ReasonOption,
    RequestOption,
    YesOption,
)
from pipeline.cli.decision_output import LeftAlone
from pipeline.cli.options import RegionOption, StackOption
from pipeline.cli.output import counted, size, to_people
from pipeline.decision_batch import DecisionBatch, PlannedDecision, parse_request_id, plan_decision
from pipeline.errors import ArchiveUnavailable
from pipeline.standing import EVERY_SCOPE, Key
from pipeline.undo import OPPOSITES, PastDecisions, Undoing, to_undo


def undo_command(
    request_to_undo: Annotated[str, typer.Argument(metavar="REQUEST", help="The id that the request printed.")],
    *,
    reason: ReasonOption,
    incomplete: Annotated[
        bool, typer.Option("--incomplete", help="Undo what the log shows, although it is not all of the request.")
    ] = False,
    also_ses: AlsoSesOption = False,
    author: AuthorOption = None,
    request: RequestOption = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    no_wait: NoWaitOption = False,
    json: JsonOption = False,
    stack: StackOption = None,
    region: RegionOption = None,
) -> None:
    """Take back all decisions of one request.

    The request is one of `suppress`, `release`, `revert` or `undo`, which printed its id. Each address gets the
    opposite decision. An address is left alone, and listed, if it was decided again since, or if the opposite would do
    more: to release what a hard bounce suppresses anyway would lift that bounce too. With --dry-run, the request is
    only shown.

    The request's addresses are read from the event log by Athena, where they are some minutes after the request.

    Example: mailfold undo 019cbd709d0070008000000000000001 --reason "the wrong list" --dry-run
    """
    options = DecisionOptions(
        reason=reason,
        author=author,
        request_id=request,
        also_ses=also_ses,
        yes=yes,
        dry_run=dry_run,
        no_wait=no_wait,
        json=json,
    )
    options.check()
    past_id = parse_request_id(request_to_undo)
    at = decision_target(stack, region)
    past = _read(at, past_id)
    if not past.facts or (len(past.facts) < past.size and not incomplete):
        raise ArchiveUnavailable(
            f"the log shows {len(past.facts):,} of {past.size or 'the'} decisions of this request: check its id, or "
            "wait some minutes until the log has it and try again; --incomplete undoes what is there"
        )
    batch, decisions, left_alone = _plan(at, past, options)
    carry_out(at, batch, decisions, options, left_alone=left_alone)


def _read(at: DecisionTarget, request_id: str) -> PastDecisions:
    cloud = at.cloud
    with to_people().status("reading the log"):
        past, result = decisions_of(
            request_id,
            decided_at=DecisionBatch(id=request_id, author="", reason="").decided_at,
            client=cloud.clients.athena,
            s3=cloud.clients.s3,
            database=cloud.database,
            workgroup=cloud.workgroup,
            output_location=cloud.output_location,
        )
    to_people().print(
        f"{counted(len(past.facts), 'decision')} of the request, {size(result.scanned_bytes)} read", style="dim"
    )
    return past


def _plan(
    at: DecisionTarget, past: PastDecisions, options: DecisionOptions
) -> tuple[DecisionBatch, list[PlannedDecision], list[LeftAlone]]:
    items = at.store.load(dict.fromkeys(key for own in past.facts for key in (Key(own.address), own)))
    now = at.clock.now()
    batch, policy = options.batch(at.cloud, now=now, items=items.values()), at.cloud.settings.policy
    decisions: list[PlannedDecision] = []
    left_alone: list[LeftAlone] = []
    for key, fact in past.facts.items():
        if (undoing := to_undo(fact, items[key], policy)) is not Undoing.UNDONE:
            left_alone.append(LeftAlone(key=key, why=undoing))
            continue
        decisions.append(
            plan_decision(
                batch,
                OPPOSITES[fact.kind],
                key,
                spelling=fact.evidence.spelling or key.address,
                items={scope: items[Key(key.address, scope)] for scope in (EVERY_SCOPE, key.scope)},
                policy=policy,
                now=now,
            )
        )
    return batch, decisions, left_alone

"""Explain why an address is suppressed or clear, from what three witnesses say about it.

They are the suppression table, which senders ask; the event log, which has every event; and SES's own suppression
lists. Any but the table may be silent, and the answer says so. Pure: adapters read, and the caller passes the time.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime

from pipeline.address import bare, canonical
from pipeline.difference import Difference
from pipeline.errors import UsageError
from pipeline.explained_fact import fact_effect
from pipeline.explanation import (
    ExplainedEvent,
    ExplainedFact,
    ExplainedReason,
    Explanation,
    FactDifference,
    ListAnswer,
    LogAnswer,
    Question,
)
from pipeline.explanation_text import effect_text, event_text, reason_text, summary, time_text
from pipeline.fact import Fact
from pipeline.logged_event import LoggedEvent, distinct_events, fact_event
from pipeline.policy import verdict
from pipeline.ports import Item
from pipeline.standing import Evidence, FactKind, Key, Standing, fold, kept_facts
from pipeline.timestamp import from_ms
from pipeline.verdict import Verdict, join_verdicts

HEAL, ADOPT = "mailfold reconcile --heal --since", "mailfold reconcile --adopt"
MAX_SPELLINGS = 10  # SES answers one call a second


def explain(
    question: Question, *, items: Mapping[Key, Item], log: LogAnswer, lists: Sequence[ListAnswer] = ()
) -> Explanation:
    """Return the explanation.

    Args:
        question: What is asked.
        items: The table's item of each of the question's keys.
        log: What the event log says.
        lists: What SES's own lists say.

    Raises:
        UsageError: The question is about a time in the past, and the log was not read: only the log knows what had
            arrived by then.
    """
    if question.is_as_of and log.problem:
        raise UsageError(f"the answer as of a time in the past needs the event log, which was not read: {log.problem}")
    logged = [event for event in log.events if not question.is_as_of or _arrived_by(event, question.moment)]
    folded = {key: fold(_facts_at(key, logged)) for key in question.keys}
    standings = folded if question.is_as_of else {key: items[key].standing for key in question.keys}
    verdicts = _verdicts(question, folded, items)
    known = distinct_events([*logged, *_events_of_table(standings)])
    events = _explained_events(known, standings, question)
    differences = (
        () if question.is_as_of or log.problem else tuple(_differences(folded, standings, is_whole=log.is_whole))
    )
    joined = join_verdicts(verdicts.values())
    other_scopes = {fact.scope for event in events for fact in event.facts} - {key.scope for key in question.keys}
    return Explanation(
        requested=question.requested,
        address=question.address,
        scope=question.scope,
        moment=question.moment,
        is_as_of=question.is_as_of,
        suppressed=joined.holds_at(question.moment),
        text=summary(
            question, joined, {fact.state for event in events for fact in event.facts}, has_events=bool(events)
        ),
        reasons=tuple(_reasons(verdicts, question.moment)),
        events=events,
        other_scopes=tuple(sorted(other_scopes)),
        log_was_read=not log.problem,
        log_is_whole=log.is_whole and not log.problem,
        log_problem=log.problem,
        scanned_bytes=log.scanned_bytes,
        differences=differences,
        lists=tuple(lists),
        policy_version=question.policy.version,
        notes=(*_erasure_notes(question, known), *_notes(question, items, log, differences, logged)),
    )


def known_spellings(question: Question, items: Mapping[Key, Item], log: LogAnswer) -> tuple[str, ...]:
    """Return the spellings under which SES's lists may have the address, which they compare by case; at most ten."""
    kept = (evidence.spelling for key in question.keys for _, evidence in kept_facts(items[key].standing))
    logged = (spelling for event in log.events for spelling in event.spellings)
    known = dict.fromkeys([question.address, bare(question.requested), *kept, *logged])
    return tuple(spelling for spelling in known if canonical(spelling) == question.address)[:MAX_SPELLINGS]


def _arrived_by(event: LoggedEvent, moment: datetime) -> bool:
    return event.arrived_at is not None and event.arrived_at <= moment


def _facts_at(key: Key, events: Iterable[LoggedEvent]) -> Iterator[tuple[FactKind, Evidence]]:
    for event in events:
        yield from ((fact.kind, fact.evidence) for fact in event.facts if fact.key == key)


def _verdicts(question: Question, folded: Mapping[Key, Standing], items: Mapping[Key, Item]) -> dict[Key, Verdict]:
    """Return the verdict of each scope: the table's, or, as of a time in the past, that of the log's facts by then."""
    if not question.is_as_of:
        return {key: items[key].verdict for key in question.keys}
    return {key: verdict(standing, question.policy, address=key.address) for key, standing in folded.items()}


def _events_of_table(standings: Mapping[Key, Standing]) -> Iterator[LoggedEvent]:
    """Yield an event for each fact of the table. The log's event of the same id describes it better."""
    for key, standing in standings.items():
        yield from (fact_event(Fact(key, kind, evidence)) for kind, evidence in kept_facts(standing))


def _differences(
    folded: Mapping[Key, Standing], standings: Mapping[Key, Standing], *, is_whole: bool
) -> Iterator[FactDifference]:
    """Yield the facts that only the log or, if all of the log was read, only the table has."""
    for key, standing in standings.items():
        difference = Difference(key=key, log=folded[key], table=standing)
        for only_in, facts in (("log", difference.missing), ("table", difference.extra if is_whole else ())):
            for kind, evidence in facts:
                yield FactDifference(
                    only_in=only_in, fact=kind, scope=key.scope, at=_time(evidence), event_id=evidence.event_id
                )


def _reasons(verdicts: Mapping[Key, Verdict], moment: datetime) -> Iterator[ExplainedReason]:
    """Yield every reason with its scope, the gravest first."""
    gravest_first = [held.reason for held in join_verdicts(verdicts.values()).reasons]
    scoped = dict.fromkeys((key.scope, held) for key, one in verdicts.items() for held in one.reasons)
    for scope, held in sorted(scoped, key=lambda pair: gravest_first.index(pair[1].reason)):
        yield ExplainedReason(
            reason=held.reason,
            scope=scope,
            since=held.since,
            until=held.until,
            is_over=not held.binds(moment, None),
            certain=held.certain,
            exempt=held.exempt,
            text=reason_text(scope, held, moment),
        )


def _explained_events(
    events: Sequence[LoggedEvent], standings: Mapping[Key, Standing], question: Question
) -> tuple[ExplainedEvent, ...]:
    authors = {event.event_id: event.decided_by for event in events}

    def explained(fact: Fact) -> ExplainedFact:
        effect = fact_effect(fact, standings=standings, policy=question.policy, moment=question.moment)
        lifted_by = effect.lifted_by.event_id
        return ExplainedFact(
            fact=fact.kind,
            scope=fact.key.scope,
            at=_time(fact.evidence),
            state=effect.state,
            until=effect.until,
            exempt=effect.exempt,
            lifted_by=lifted_by or None,
            text=effect_text(effect, policy=question.policy, decided_by=authors.get(lifted_by, "")),
        )

    return tuple(_explained_event(event, tuple(map(explained, event.facts))) for event in events)


def _explained_event(event: LoggedEvent, facts: tuple[ExplainedFact, ...]) -> ExplainedEvent:
    same = {name: getattr(event, name) for name in ExplainedEvent.__struct_fields__ if name not in {"facts", "text"}}
    return ExplainedEvent(**same, facts=facts, text=event_text(event.kind, [fact.fact for fact in facts]))


def _time(evidence: Evidence) -> datetime | None:
    return from_ms(evidence.at_ms) if evidence.at_ms else None


def _notes(
    question: Question,
    items: Mapping[Key, Item],
    log: LogAnswer,
    differences: Sequence[FactDifference],
    logged: Sequence[LoggedEvent],
) -> Iterator[str]:
    """Yield what limits the answer, and whether log and table agree."""
    if question.is_as_of:
        yield (
            f"The answer is from what had arrived in the log by {time_text(question.moment)}, by today's policy "
            f"(version {question.policy.version}). SES's lists are as they are now."
        )
    else:
        yield from _policy_notes(question, items)
    if log.problem:
        yield f"The event log was not read: {log.problem}. The events are those that the table knows of."
        return
    if not log.is_whole:
        yield "Only some days of the event log were read: what happened on the other days may be missing here."
    if not logged:
        yield f"{'The log knows' if log.is_whole else 'These days of the log know'} nothing about the address."
    if not question.is_as_of:
        yield from _agreement(differences, logged, is_whole=log.is_whole)


def _erasure_notes(question: Question, known: Sequence[LoggedEvent]) -> Iterator[str]:
    if any(fact.key.address == question.pseudonym for event in known for fact in event.facts):
        yield "The person was erased: facts are kept under a hash of the address, and nothing of what the mail said."


def _policy_notes(question: Question, items: Mapping[Key, Item]) -> Iterator[str]:
    versions = {items[key].policy_version for key in question.keys} - {0, question.policy.version}
    if versions:
        yield (
            f"The table's verdict is by version {max(versions)} of the policy, and the facts are explained by version "
            f"{question.policy.version}."
        )


def _agreement(
    differences: Sequence[FactDifference], logged: Sequence[LoggedEvent], *, is_whole: bool
) -> Iterator[str]:
    in_log = [difference for difference in differences if difference.only_in == "log"]
    in_table = [difference for difference in differences if difference.only_in == "table"]
    if in_log:
        yield (
            f"The table lacks what the log has: {_kinds(in_log)}. If it arrived minutes ago, it may be on its way. "
            f"Otherwise `{HEAL} {_first_day(in_log, logged)}` puts it into the table."
        )
    if in_table:
        yield (
            f"The log lacks what the table has: {_kinds(in_table)}. The log gets an event up to 15 minutes later. "
            f"If it is older, `{ADOPT}` writes it into the log."
        )
    if is_whole and not differences:
        yield "Log and table agree."


def _kinds(differences: Sequence[FactDifference]) -> str:
    return ", ".join(dict.fromkeys(difference.fact for difference in differences))


def _first_day(differences: Sequence[FactDifference], logged: Sequence[LoggedEvent]) -> date:
    """Return the day of the earliest of these facts' events. The log has none of an earlier day."""
    ids = {difference.event_id for difference in differences}
    moments = [event.at or event.arrived_at for event in logged if event.event_id in ids]
    return min(moment.date() for moment in moments if moment)

"""The sentences of an explanation, for support staff who read them to a customer.

Plain words, without SES's names where they would need an explanation themselves. No sentence quotes a text of a
stranger. Pure.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from pipeline.address import is_simulator
from pipeline.event import EventKind
from pipeline.explained_fact import FactEffect, FactState
from pipeline.explanation import ListAnswer, Question
from pipeline.policy import Policy, SoftRule
from pipeline.standing import EVERY_SCOPE, FactKind
from pipeline.timestamp import from_ms
from pipeline.verdict import Reason, ReasonHeld, Verdict

FACT_TEXTS = {
    FactKind.HARD: "The recipient's mail server refused the mail for good. As a rule there is no such mailbox.",
    FactKind.BLOCKED: "The recipient's mail server refused the sender for good: its reputation or its authentication.",
    FactKind.INFERRED: "The mail bounced for good. The report names no one, and the mail had this recipient only.",
    FactKind.FORWARDED: "The mail bounced for good at another address, to which this one probably forwards.",
    FactKind.LISTED: "SES did not deliver the mail: the address is on SES's global list, which no customer can see.",
    FactKind.COMPLAINT: "The recipient reported the mail as spam.",
    FactKind.UNCERTAIN_COMPLAINT: "One of several recipients reported the mail as spam. The report does not say which.",
    FactKind.NOT_SPAM: "The recipient reported that the mail is no spam.",
    FactKind.SOFT: "The mail could not be delivered, for a reason that may pass.",
    FactKind.ECHO: "One of SES's own lists or predictions stopped the mail. No mail server replied.",
    FactKind.OPT_OUT: "The recipient had unsubscribed from the topic of the mail.",
    FactKind.SUPPRESS: "An operator suppressed the address.",
    FactKind.RELEASE: "An operator released the address.",
}
"""What happened, by the kind of fact that it is."""

EVENT_TEXTS: Mapping[str, str] = {
    EventKind.SEND: "SES accepted the mail for sending.",
    EventKind.DELIVERY: "The recipient's mail server accepted the mail.",
    EventKind.BOUNCE: "A bounce that says nothing lasting about the address, such as an automatic reply.",
    EventKind.COMPLAINT: "A complaint about the mail, which says nothing certain about this address.",
    EventKind.REJECT: "SES rejected the mail and did not send it.",
    EventKind.OPEN: "The mail was opened, by one of its recipients or by a machine.",
    EventKind.CLICK: "A link in the mail was opened, by one of its recipients or by a machine.",
    EventKind.RENDERING_FAILURE: "SES could not fill in the mail's template and did not send it.",
    EventKind.DELIVERY_DELAY: "The mail could not be delivered yet. SES goes on trying.",
    EventKind.SUBSCRIPTION: "The recipient changed a subscription.",
}
"""What happened, by the kind of event, where it is no fact about the address."""

REASON_TEXTS = {
    Reason.OPERATOR: "an operator decided it",
    Reason.COMPLAINT: "the recipient reported mail as spam",
    Reason.HARD: "a mail server refused mail for good, as if there were no such mailbox",
    Reason.BLOCKED: "a mail server refuses the sender",
    Reason.INFERRED: "a mail to this recipient alone bounced for good",
    Reason.LISTED: "SES's global list had the address",
    Reason.SOFT: "several mails in a row could not be delivered",
    Reason.FORWARDED: "a mail bounced for good behind this address",
    Reason.ECHO: "one of SES's own lists or predictions stopped mail",
    Reason.OPT_OUT: "the recipient unsubscribed from a topic",
}

_NEVER = {
    FactKind.FORWARDED: "it is another mailbox that failed",
    FactKind.SOFT: "such trouble often passes, and the policy has no rule for it",
    FactKind.ECHO: "no mail server was asked",
    FactKind.OPT_OUT: "it is about one topic, and not about all mail",
}


def time_text(moment: datetime) -> str:
    """Return a time for people, in UTC."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def mail_text(scope: str) -> str:
    """Return the mail that a scope is about."""
    return "all mail" if scope == EVERY_SCOPE else f"mail of the tenant {scope}"


def event_text(kind: str, facts: Sequence[FactKind]) -> str:
    """Return what happened, from the facts if there are any."""
    if facts:
        return FACT_TEXTS[facts[0]]
    return EVENT_TEXTS.get(kind, "An event of a type that this version does not describe.")


def reason_text(scope: str, held: ReasonHeld, moment: datetime) -> str:
    """Return why a reason suppresses, since when, until when, and which mail may pass."""
    since = f" Since {time_text(held.since)}" if held.since else " Since an unknown time"
    doubt = "" if held.certain else " It is not certain that this address is meant."
    return (
        f"{mail_text(scope).capitalize()}: {REASON_TEXTS[held.reason]}.{since}, {_end(held.until, moment)}."
        f"{_exempt_sentence(held.exempt)}{doubt}"
    )


def effect_text(effect: FactEffect, *, policy: Policy, decided_by: str = "") -> str:
    """Return what a fact does.

    Args:
        effect: What it does.
        policy: The policy.
        decided_by: Who decided what lifts it; "" if unknown.
    """
    fact = effect.fact
    match effect.state:
        case FactState.SUPPRESSES | FactState.ENDED:
            return _suppressing_text(effect)
        case FactState.LIFTED:
            return f"lifted by the {_lifting_text(effect, decided_by)}"
        case FactState.LIFTS:
            lifted = "everything" if fact.kind is FactKind.RELEASE else "complaints"
            return f"lifts {lifted} about {mail_text(fact.key.scope)} up to {_at(fact.evidence.at_ms)}"
        case FactState.REPLACED:
            return "counts no more: a newer one, or a fuller copy of it, counts in its place"
        case FactState.BELOW_RULE:
            return f"does not suppress: {_soft_rule(policy.soft)}"
        case FactState.MISSING:
            return "does not count yet: the table does not have it"
        case FactState.OTHER_SCOPE:
            return f"counts for {mail_text(fact.key.scope)} only: see --scope {fact.key.scope}"
        case FactState.SIMULATOR:
            return "does not suppress: an address of SES's mailbox simulator is never suppressed"
        case _:
            return f"does not suppress: {_NEVER.get(fact.kind, 'the policy has no rule for it')}"


def summary(question: Question, verdict: Verdict, states: Collection[FactState], *, has_events: bool) -> str:
    """Return the verdict in one sentence.

    Args:
        question: What is asked.
        verdict: The verdict of all scopes that count.
        states: What the facts do.
        has_events: Whether anything is known to have happened.
    """
    text = f"{question.address} is {_state_text(question, verdict, states, has_events=has_events)}"
    return f"As of {time_text(question.moment)}: {text}" if question.is_as_of else text


def _state_text(question: Question, verdict: Verdict, states: Collection[FactState], *, has_events: bool) -> str:
    binding = [held for held in verdict.reasons if held.binds(question.moment, None)]
    if binding:
        passing = set(binding[0].exempt).intersection(*(held.exempt for held in binding))
        allowed = f"only {' and '.join(sorted(passing))} mail may" if passing else "no mail may"
        return f"suppressed: {allowed} be sent to it."
    if is_simulator(question.address):
        return "clear: addresses of SES's mailbox simulator are never suppressed."
    if verdict.reasons:
        return "clear again: every reason to suppress it has ended."
    if FactState.LIFTED in states:
        return "clear: what suppressed it was lifted."
    return f"clear: {'nothing in its history suppresses it' if has_events else 'nothing is known about it'}."


def list_text(answer: ListAnswer, *, is_suppressed: bool) -> str:
    """Return what one of SES's own lists says now, and what follows from it."""
    owner = "SES's account list" if answer.scope == EVERY_SCOPE else f"SES's list of the tenant {answer.scope}"
    if answer.problem:
        return f"{owner} was not read: {answer.problem}."
    if not answer.entries:
        return f"{owner} does not have the address."
    entries = ", ".join(
        f"as {entry.address} since {time_text(entry.updated_at)}, because of a {entry.reason.lower()}"
        for entry in answer.entries
    )
    stops = "" if is_suppressed else " So SES stops mail to it, although it is clear here."
    return f"{owner} has the address {entries}.{stops}"


def _suppressing_text(effect: FactEffect) -> str:
    scope = mail_text(effect.fact.key.scope)
    until = f"until {time_text(effect.until)}" if effect.until else "permanently"
    if effect.state is FactState.ENDED:
        return f"suppressed {scope} {until}, which is over"
    exempt = f", except {' and '.join(effect.exempt)} mail" if effect.exempt else ""
    doubt = "" if effect.certain else "; it is not certain that this address is meant"
    return f"suppresses {scope}{exempt}, {until}{doubt}"


def _lifting_text(effect: FactEffect, decided_by: str) -> str:
    name = "report that a mail is no spam" if effect.is_lifted_by_report else "release"
    author = f" by {decided_by}" if decided_by else ""
    return f"{name} of {_at(effect.lifted_by.at_ms)}{author} (event {effect.lifted_by.event_id})"


def _soft_rule(rule: SoftRule | None) -> str:
    if rule is None:
        return _NEVER[FactKind.SOFT]
    wrong = f" ({rule.mails_of_wrong_address} if the address is wrong)" if rule.mails_of_wrong_address else ""
    window = timedelta(seconds=rule.window_seconds)
    return f"the policy's rule needs {rule.mails} such mails{wrong} within {window}"


def _at(at_ms: int) -> str:
    return time_text(from_ms(at_ms)) if at_ms else "an unknown time"


def _end(until: datetime | None, moment: datetime) -> str:
    if until is None:
        return "permanently"
    return f"until {time_text(until)}" + (", which is over" if until <= moment else "")


def _exempt_sentence(exempt: Sequence[str]) -> str:
    return f" {' and '.join(exempt).capitalize()} mail may be sent in spite of it." if exempt else ""

"""Facts and evidence of payloads, for tests."""

from pipeline.decode import decode
from pipeline.event import Event
from pipeline.fact import Fact, facts
from pipeline.standing import Evidence


def facts_of(payload: bytes) -> list[Fact]:
    """Return the facts of the only event of a payload."""
    [event] = decode(payload)
    assert isinstance(event, Event)
    return list(facts(event))


def kinds_in(payload: bytes) -> list[tuple[str, str]]:
    """Return address and kind of each fact."""
    return [(fact.key.address, fact.kind.value) for fact in facts_of(payload)]


def evidence(payload: bytes) -> Evidence:
    """Return the evidence of the only fact of a payload."""
    [fact] = facts_of(payload)
    return fact.evidence

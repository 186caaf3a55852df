"""Facts that only a table has, written into the event log as evidence, so that the log's fold has them too.

A fact may be lost on its way to the log, or be older than the log. The event is gone then; the evidence of it is in the
table, with the event's id. The record that is made of it decodes to that fact again. Pure.
"""

from collections.abc import Iterator

import msgspec

from pipeline.batch import StreamRecord
from pipeline.difference import FactsByKind
from pipeline.standing import Evidence, FactKind, Key

POSITION = "suppression table"  # of what is too large for the log, in the quarantine


def make_evidence(key: Key, kind: FactKind, evidence: Evidence) -> bytes:
    """Return a fact as a record of the log, in JSON. The same fact is the same event, however often it is written."""
    details = {"address": key.address, "scope": key.scope, "fact": kind.value}
    texts = {_camel(name): value for name, value in msgspec.structs.asdict(evidence).items()}
    return msgspec.json.encode({"eventType": "Evidence", "evidence": details | texts})


def evidence_records(key: Key, facts: FactsByKind) -> Iterator[StreamRecord]:
    """Yield a record for each of these facts, which only the table has."""
    for kind, evidence in facts:
        yield StreamRecord(payload=make_evidence(key, kind, evidence), position=POSITION)


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(map(str.title, rest))

"""Strategies for property tests: facts, records, envelopes, and payloads with small errors."""

import json
from collections.abc import Callable
from copy import deepcopy
from datetime import timedelta
from itertools import product
from typing import Any

from hypothesis import strategies as st

from pipeline.standing import Evidence, FactKind, Standing, fold
from pipeline.timestamp import to_ms
from tests.support.builders import (
    ADA,
    BOB,
    OCCURRED_AT,
    a_bounce,
    a_complaint,
    a_decision,
    a_delivery,
    a_soft_bounce,
    dumped,
    in_eventbridge,
    in_firehose,
    in_firehose_error,
    in_kinesis,
    in_lambda_sns,
    in_lambda_sqs,
    in_sns,
    in_sqs,
    one_of_each,
    some_evidence,
)

Wrap = Callable[[bytes], bytes]
Facts = list[tuple[FactKind, Evidence]]


def _combinations(**values: tuple[Any, ...]) -> st.SearchStrategy[dict[str, Any]]:
    """Draw one value of each field in a single draw; up to 127 combinations are drawn uniformly."""
    return st.sampled_from([dict(zip(values, chosen, strict=True)) for chosen in product(*values.values())])


# Few values, so that ids repeat, times are equal, and copies of one event differ in a text only.
evidence = st.builds(
    lambda event, mail, texts: Evidence(**event, **mail, **texts),
    _combinations(at_ms=(0, 1, 2, 3, 4), event_id=("e1", "e2", "e3")),
    _combinations(message_id=("", "m1", "m2", "e1"), sub_type=("", "General"), status=("", "5.1.1")),
    _combinations(diagnostic=("", "no such user", "é"), spelling=("", ADA, ADA.upper())),
)
# Many values, so that every bound is reached.
varied_evidence = st.builds(
    Evidence, at_ms=st.integers(0, 10_000), event_id=st.uuids().map(lambda u: u.hex), message_id=st.uuids().map(str)
)
facts: st.SearchStrategy[Facts] = st.lists(st.tuples(st.sampled_from(FactKind), evidence), max_size=25)
standings: st.SearchStrategy[Standing] = facts.map(fold)

ADDRESSES = (ADA, BOB, "Carol <carol@bücher.example>", "no address")
moments = st.integers(-3, 3).map(lambda seconds: OCCURRED_AT + timedelta(seconds=seconds))
_names = st.sampled_from(["f1", "f2", "f3"])
_recipients = st.lists(st.sampled_from(ADDRESSES), max_size=3)

feedback: st.SearchStrategy[bytes] = st.one_of(
    st.builds(
        a_bounce,
        recipients=_recipients,
        sub_type=st.sampled_from(["General", "NoEmail", "Suppressed", "UnsubscribedRecipient", "Novel"]),
        feedback_id=_names,
        at=moments,
        person=st.sampled_from([None, {"diagnosticCode": "another envelope's copy"}]),
    ),
    st.builds(a_soft_bounce, recipients=_recipients, feedback_id=_names, at=moments, messageId=_names),
    st.builds(
        a_complaint,
        recipients=_recipients,
        feedback_id=_names,
        at=moments,
        feedback_type=st.sampled_from(["abuse", "not-spam"]),
    ),
    st.builds(
        a_decision,
        action=st.sampled_from(["suppress", "release"]),
        address=st.sampled_from(ADDRESSES[:3]),
        at=moments,
        decision_id=_names,
        atMs=st.none() | moments.map(to_ms),
    ),
)
poison = st.sampled_from([b"", b"{oops", b"[1]", b'{"eventType":"Bounce"}', b"\xff", a_decision(action="forget")])
records: st.SearchStrategy[bytes] = st.one_of(feedback, feedback, st.just(a_delivery()), poison)

# Envelopes of JSON text, and envelopes of any bytes.
ENVELOPES: dict[str, Wrap] = {
    "sns": in_sns,
    "sqs": in_sqs,
    "lambda_sns": in_lambda_sns,
    "lambda_sqs": in_lambda_sqs,
    "eventbridge": in_eventbridge,
    "kinesis": in_kinesis,
    "firehose": in_firehose,
    "firehose_error": in_firehose_error,
}
envelopes = st.sampled_from(sorted(ENVELOPES))

_HUGE = "<a number of 5000 digits>"
ODD_VALUES: tuple[Any, ...] = (
    *(None, True, 0, -1, 2**63, 10**40, 1.5, 1e300, "", " ", "x", "<>", "a@b", [], {}, [[]], [None], {"": 0}),
    *("9999-12-31T23:59:59.999Z", "0001-01-01T00:00:00.000Z", "0001-01-01T00:00:00+14:00", "Bounce"),
    *(_HUGE, "\ud83d", "\x00", "rendering_failure"),
    *(["a@b", 1], {"emailAddress": ["a@b"]}, [{"emailAddress": "a@b"}]),
)
json_values = st.recursive(
    st.sampled_from(ODD_VALUES) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def odd_json(value: Any) -> bytes:
    """Return JSON in ASCII, with numbers and halves of surrogate pairs that no encoder writes."""
    return json.dumps(value).replace(json.dumps(_HUGE), "7" * 5_000).encode()


@st.composite
def mutated_records(draw: st.DrawFn) -> bytes:
    """Draw a record of any kind in which some values deviate from SES's documentation."""
    record = json.loads(draw(st.sampled_from([*one_of_each().values(), a_decision(), some_evidence()])))
    for _ in range(draw(st.integers(1, 2))):
        holder, key = draw(st.sampled_from(places(record)))
        holder[key] = deepcopy(draw(json_values))
    return odd_json(record)


@st.composite
def damaged_payloads(draw: st.DrawFn) -> bytes:
    """Draw a payload in any envelope in which some bytes are removed or inserted."""
    wraps: list[Wrap] = [bytes, *ENVELOPES.values()]
    payload = draw(st.sampled_from(wraps))(
        draw(st.sampled_from([*one_of_each().values(), a_decision(), some_evidence(), dumped([1])]))
    )
    start = draw(st.integers(0, len(payload)))
    end = draw(st.integers(start, min(len(payload), start + 8)))
    inserted: bytes = draw(st.binary(max_size=3))
    return payload[:start] + inserted + payload[end:]


def places(value: Any) -> list[tuple[Any, Any]]:
    """Return every place of a tree whose value can be changed, as its container and its key."""
    items = list(value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ())
    return [place for key, item in items for place in ((value, key), *places(item))]

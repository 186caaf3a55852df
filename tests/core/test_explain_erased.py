"""A person who was erased is explained with the key of erasures, from what lies under the hash of the address."""

from functools import reduce

from pipeline.address import Address
from pipeline.erasure import Erasure
from pipeline.explain import explain, known_spellings
from pipeline.explanation import Explanation, LogAnswer, Question
from pipeline.logged_event import logged_events
from pipeline.policy import DEFAULT_POLICY
from pipeline.ports import NO_ITEM
from pipeline.projection import to_item
from pipeline.pseudonym import KEY_BYTES
from pipeline.row import row_facts
from pipeline.standing import Key, fold, join
from tests.support.builders import ADA, a_bounce, a_complaint, a_delivery, a_send
from tests.support.rows import ARRIVED_AT, rows_of

ERASURE = Erasure(address=Address(ADA), key=b"k" * KEY_BYTES)
QUESTION = Question(
    requested=ADA, address=ERASURE.address, moment=ARRIVED_AT, policy=DEFAULT_POLICY, pseudonym=ERASURE.pseudonym
)
BEFORE = (a_send(), a_bounce(commonHeaders={"subject": "Your diagnosis"}))


def explained(*later: bytes, question: Question = QUESTION) -> Explanation:
    """Return the explanation after an erasure, and after further events under the address itself."""
    rows = [*map(ERASURE.row, rows_of(*BEFORE)), *rows_of(*later)]
    log = LogAnswer(
        events=[
            event
            for row in rows
            for event in logged_events(row.raw.encode(), arrived_at=ARRIVED_AT, addresses=question.forms)
        ]
    )
    facts = [fact for row in rows for fact in row_facts(row)]
    standings = {key: fold((fact.kind, fact.evidence) for fact in facts if fact.key == key) for key in question.keys}
    assert reduce(join, standings.values()) != NO_ITEM.standing
    items = {key: to_item(key, standing, DEFAULT_POLICY) for key, standing in standings.items()}
    return explain(question, items=items, log=log)


def test_an_erased_person_is_explained_as_suppressed() -> None:
    """The bounce counts, is shown without the mail's texts, and log and table agree."""
    answer = explained()
    assert (answer.address, answer.suppressed) == (ADA, True)
    assert [reason.reason.value for reason in answer.reasons] == ["hard"]
    assert [fact.state.value for event in answer.events for fact in event.facts] == ["suppresses"]
    assert all("diagnosis" not in event.subject for event in answer.events)
    assert answer.notes == (
        "The person was erased: facts are kept under a hash of the address, and nothing of what the mail said.",
        "Log and table agree.",
    )


def test_what_happens_after_an_erasure_is_explained_beside_it() -> None:
    """Both addresses are the one person's. A mail that was sent to it later is whole."""
    answer = explained(a_complaint(feedback_id="later", messageId="m2"), a_delivery(messageId="m2"))
    assert [reason.reason.value for reason in answer.reasons] == ["complaint", "hard"]
    assert {event.kind for event in answer.events} >= {"complaint", "delivery", "evidence"}
    assert answer.differences == ()


def test_the_hash_is_no_spelling_of_the_address() -> None:
    """SES's lists are not asked for it."""
    event = next(logged_events(BEFORE[1], arrived_at=ARRIVED_AT, addresses=QUESTION.forms))
    items = dict.fromkeys(QUESTION.keys, NO_ITEM)
    assert known_spellings(QUESTION, items, LogAnswer(events=[event])) == (ADA,)
    assert [key.address for key in QUESTION.keys] == [ADA, ERASURE.pseudonym]
    assert Key(Address(ADA)) in QUESTION.keys

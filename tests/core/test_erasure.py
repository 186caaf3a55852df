"""An erased person is in no row and no standing, stays suppressed under the hash, and log and table still agree."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.address import Address, canonical
from pipeline.batch import group_by_key
from pipeline.decode import DECODER_VERSION, decode
from pipeline.erasure import Erasure, sources
from pipeline.event import Event
from pipeline.fact import facts
from pipeline.pseudonym import DOMAIN, KEY_BYTES, is_pseudonym, pseudonym
from pipeline.row import Row, row_facts, to_fact
from pipeline.standing import EVERY_SCOPE, Key, Standing, join
from tests.support.builders import ADA, BOB, a_bounce, a_click, a_complaint, a_decision, a_delivery, a_send, one_of_each
from tests.support.rows import a_row, rows_of
from tests.support.strategies import ADDRESSES, feedback

ADA_ADDRESS, BOB_ADDRESS = Address(ADA.lower()), Address(BOB.lower())
SECRET = bytes(range(KEY_BYTES))
ERASURE = Erasure(address=ADA_ADDRESS, key=SECRET)
PSEUDONYM = ERASURE.pseudonym


def folded(rows: list[Row]) -> dict[Key, Standing]:
    return group_by_key([fact for row in rows for fact in row_facts(row)])


def everything(row: Row) -> str:
    """Return all text of a row, in lower case."""
    return msgspec.json.encode(row).decode().lower()


def test_a_pseudonym_is_an_address_that_cannot_exist() -> None:
    """It is its own key, so the fold and SQL treat it like any other."""
    assert canonical(PSEUDONYM) == PSEUDONYM
    assert is_pseudonym(PSEUDONYM)
    assert not is_pseudonym(ADA_ADDRESS)
    assert PSEUDONYM.endswith(f"@{DOMAIN}")


def test_a_pseudonym_depends_on_the_key() -> None:
    """Without the key, trying addresses finds no one."""
    assert pseudonym(ADA_ADDRESS, key=SECRET) == PSEUDONYM
    assert pseudonym(ADA_ADDRESS, key=SECRET[::-1]) != PSEUDONYM
    assert pseudonym(BOB_ADDRESS, key=SECRET) != PSEUDONYM


@pytest.mark.parametrize("kind", sorted(one_of_each()))
def test_no_row_of_any_type_names_the_person(kind: str) -> None:
    """Neither in a column nor in the raw text; the mail's id, its times and its type stay."""
    row = a_row(one_of_each()[kind])

    erased = ERASURE.row(row)

    assert ADA.lower() in everything(row)
    assert ADA.lower() not in everything(erased)
    kept = ("event_type", "message_id", "occurred_at", "sent_at", "arrived_at", "configuration_set", "is_feedback")
    assert [getattr(erased, name) for name in kept] == [getattr(row, name) for name in kept]


def test_a_row_about_other_people_is_the_same() -> None:
    """Also that of an address that only ends like the person's."""
    for address in (BOB, f"x{ADA}", f"{ADA}.example", f"the.{ADA}", f"the+{ADA}"):
        row = a_row(a_bounce(recipients=[address]))

        assert ERASURE.row(row) is row


@pytest.mark.parametrize(
    "text",
    [
        f"smtp; 550 <{ADA.upper()}> unknown",
        f"user {ADA}: no such mailbox.",
        f"the link https://example.org/?to={ADA}",
        f"bounces+{ADA.replace('@', '=')}@example.org, rejected",
        f"https://example.org/unsubscribe?to={ADA.replace('@', '%40')}&x=1",
    ],
)
def test_a_text_that_names_the_person_names_the_hash(text: str) -> None:
    """In a diagnostic about someone else, a return path or a link."""
    erased = ERASURE.text(text)

    assert PSEUDONYM in erased
    assert "ada" not in erased.lower().replace(PSEUDONYM, "")


@pytest.mark.parametrize("spelling", ["JÜRGEN@BÜCHER.example", "jürgen@xn--bcher-kva.example"])
def test_a_unicode_address_is_found_in_every_form(spelling: str) -> None:
    """In the raw text it may be escaped, and its domain may be in either form."""
    erasure = Erasure(address=Address("jürgen@xn--bcher-kva.example"), key=SECRET)
    row = a_row(a_send(destination=[spelling], commonHeaders={"subject": "Hello"}))

    erased = erasure.row(row)

    assert "jürgen" not in everything(erased)
    assert "\\u00fc" not in erased.raw
    assert erased.destinations == (erasure.pseudonym,)


def test_a_mail_to_one_person_keeps_nothing_about_that_person() -> None:
    """Its subject, headers, links and the sender's tags may name the person in other words."""
    mail: dict[str, Any] = {
        "commonHeaders": {"subject": "Hello Countess", "to": ["The Countess <" + ADA + ">"]},
        "headers": [{"name": "X-Customer", "value": "Countess"}],
        "tags": {"customer": ["countess"], "ses:source-ip": ["192.0.2.9"]},
    }
    row = a_row(a_click(link="https://example.org/countess", **mail))

    erased = ERASURE.row(row)

    assert "countess" in everything(row)
    assert "countess" not in everything(erased)
    assert "192.0.2.1" not in everything(erased)
    assert erased.tags == {"ses:source-ip": ["192.0.2.9"]}


def test_the_others_of_a_mail_stay() -> None:
    """Their facts are the same, but for the event's id, which is a hash of the person's address too."""
    row = a_row(a_bounce(recipients=[ADA, BOB]))
    erased = ERASURE.row(row)

    [before] = [fact for fact in row.facts if fact.address == BOB_ADDRESS]
    [after] = [fact for fact in erased.facts if fact.address == BOB_ADDRESS]

    assert after == msgspec.structs.replace(before, event_id=ERASURE.event_id(before.event_id))
    assert set(erased.recipients) == {PSEUDONYM, BOB_ADDRESS}
    assert erased.event_id == ERASURE.event_id(row.event_id) != row.event_id


@given(payload=feedback)
def test_the_raw_text_of_an_erased_row_decodes_to_its_facts(payload: bytes) -> None:
    """So a later decoder, which reads it again, finds the same facts."""
    for row in map(ERASURE.row, rows_of(payload)):
        events = [outcome for outcome in decode(row.raw.encode()) if isinstance(outcome, Event)]

        assert [fact for event in events for fact in facts(event)] == list(map(to_fact, row.facts))


@given(payloads=st.lists(feedback, max_size=8), person=st.sampled_from(ADDRESSES[:3]))
def test_the_fold_of_erased_rows_is_the_erased_fold(payloads: list[bytes], person: str) -> None:
    """Table and log are rewritten apart, and agree. Of others, the rewritten rows add what a copy's text may change."""
    address = canonical(person)
    assert address
    erasure = Erasure(address=address, key=SECRET)
    rows = rows_of(*payloads)
    named = [erasure.row(row) for row in rows if erasure.concerns(row)]
    rewritten = frozenset().union(*map(sources, named))

    table = {
        erasure.key_of(key): erasure.standing(key, found, rewritten=rewritten) for key, found in folded(rows).items()
    }
    added = folded(named)
    table = {key: join(standing, added[key]) if key in added else standing for key, standing in table.items()}

    log = folded([erasure.row(row) for row in rows])
    assert table.keys() == log.keys()
    # Ids change their order. So of two events of one mail at one time the log may keep the other: it heals that.
    assert {key: join(standing, log[key]) for key, standing in table.items()} == log
    assert address not in {key.address for key in table}


@given(payload=feedback)
def test_erasing_again_changes_nothing(payload: bytes) -> None:
    """A run that was interrupted is repeated."""
    for row in map(ERASURE.row, rows_of(payload)):
        assert ERASURE.row(row) is row


def test_a_row_of_an_older_decoder_is_erased_as_it_is_decoded_today() -> None:
    """Its stored facts may be wrong."""
    row = a_row(a_bounce(), decoder_version=DECODER_VERSION - 1, facts=())

    erased = ERASURE.row(row)

    assert [fact.address for fact in erased.facts] == [PSEUDONYM]
    assert erased.decoder_version == DECODER_VERSION


def test_a_text_that_is_no_json_is_erased_too() -> None:
    """Poison is a row as well."""
    row = a_row(a_send(), raw=f"<{ADA}>, no JSON", recipients=(), destinations=())

    assert ERASURE.row(row).raw == f"<{PSEUDONYM}>, no JSON"


def test_an_erased_person_stays_suppressed_and_can_still_be_released() -> None:
    """Facts and decisions move to the hash, each in its scope."""
    tags = {"ses:tenant-name": ["acme"]}
    rows = rows_of(a_bounce(), a_complaint(tags=tags), a_decision(action="release", decision_id="1" * 32), a_delivery())

    erased = folded([ERASURE.row(row) for row in rows])

    assert erased.keys() == {Key(PSEUDONYM, EVERY_SCOPE), Key(PSEUDONYM, "acme")}
    assert erased[Key(PSEUDONYM)].hard
    assert erased[Key(PSEUDONYM)].release
    assert erased[Key(PSEUDONYM, "acme")].complaint


@pytest.mark.parametrize("host", ["[192.0.2.1]", "xn--a.example"])
def test_an_address_whose_host_has_no_other_form_is_erased(host: str) -> None:
    """A literal, or a name that is not valid in IDNA."""
    erasure = Erasure(address=Address(f"ada@{host}"), key=SECRET)

    assert erasure.text(f"smtp; 550 <ada@{host}>, unknown") == f"smtp; 550 <{erasure.pseudonym}>, unknown"

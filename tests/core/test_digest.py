"""Equal facts have equal digests in any order; different facts do not."""

from hashlib import sha256
from itertools import combinations
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipeline.address import Address
from pipeline.digest import digest
from pipeline.standing import NOTHING_KNOWN, Evidence, FactKind, Key, Standing, kept_facts, standing
from tests.support.strategies import standings

KEY, OTHER_KEY = Key(Address("ada@example.com")), Key(Address("bob@example.net"))
tables = st.dictionaries(st.sampled_from([KEY, OTHER_KEY, Key(KEY.address, "marketing")]), standings)


def a_standing(fact: FactKind = FactKind.HARD, at_ms: int = 1, event_id: str = "e", spelling: str = "") -> Standing:
    return standing([(fact, Evidence(at_ms=at_ms, event_id=event_id, spelling=spelling))])


@given(tables, st.randoms(use_true_random=False))
def test_the_order_of_items_does_not_matter(table: dict[Key, Standing], random: Any) -> None:
    assert digest(table.items()) == digest(random.sample(list(table.items()), len(table)))


@given(tables, tables)
def test_digests_are_equal_exactly_when_facts_times_and_events_are(
    one: dict[Key, Standing], other: dict[Key, Standing]
) -> None:
    def named(table: dict[Key, Standing]) -> dict[Key, list[tuple[Any, ...]]]:
        lists = {
            key: sorted((fact, evidence.at_ms, evidence.event_id) for fact, evidence in kept_facts(known))
            for key, known in table.items()
        }
        return {key: found for key, found in lists.items() if found}

    assert (digest(one.items()) == digest(other.items())) == (named(one) == named(other))


def test_the_digest_changes_with_every_part_of_it() -> None:
    tables = [
        [],
        [(KEY, a_standing())],
        [(OTHER_KEY, a_standing())],
        [(Key(KEY.address, "marketing"), a_standing())],
        [(KEY, a_standing(at_ms=2))],
        [(KEY, a_standing(event_id="f"))],
        [
            (
                KEY,
                a_standing(),
            ),
            (OTHER_KEY, a_standing()),
        ],
        *([(KEY, a_standing(fact))] for fact in FactKind if fact is not FactKind.HARD),
    ]
    assert all(digest(one) != digest(other) for one, other in combinations(tables, 2))


def test_the_digest_is_the_sum_of_its_items_word_by_word() -> None:
    one, other = digest([(KEY, a_standing())]), digest([(OTHER_KEY, a_standing())])
    words = [slice(start, start + 8) for start in range(0, 64, 8)]
    sums = "".join(f"{(int(one[word], 16) + int(other[word], 16)) % 2**32:08x}" for word in words)
    assert sums == digest([(KEY, a_standing()), (OTHER_KEY, a_standing())])


def test_the_digest_of_one_item_is_the_hash_of_its_lines() -> None:
    assert sha256(b"15 ada@example.com\n1 *\nhard 1 e").hexdigest() == digest([(KEY, a_standing())])


def test_the_lines_of_an_item_are_in_the_order_of_their_text() -> None:
    known = standing((FactKind.HARD, Evidence(at_ms=at_ms, event_id="e")) for at_ms in (9, 10))
    assert sha256(b"15 ada@example.com\n1 *\nhard 10 e\nhard 9 e").hexdigest() == digest([(KEY, known)])


def test_items_that_know_nothing_do_not_count() -> None:
    assert "0" * 64 == digest([]) == digest([(KEY, NOTHING_KNOWN)])


def test_the_words_of_a_diagnostic_do_not_count() -> None:
    assert digest([(KEY, a_standing(spelling="Ada"))]) == digest([(KEY, a_standing(spelling="ADA"))])


def test_a_scope_that_looks_like_a_fact_is_no_fact() -> None:
    disguised = Key(KEY.address, "*\nhard 1 e")
    two = standing(
        [(FactKind.HARD, Evidence(at_ms=1, event_id="e")), (FactKind.SUPPRESS, Evidence(at_ms=2, event_id="f"))]
    )
    one = standing([(FactKind.SUPPRESS, Evidence(at_ms=2, event_id="f"))])
    assert digest([(KEY, two)]) != digest([(disguised, one)])

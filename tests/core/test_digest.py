"""Tests of `pipeline.digest`: equal facts have equal digests in any order; different facts do not."""

from hashlib import sha256
from itertools import combinations
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipeline.address import Address
from pipeline.digest import digest
from pipeline.standing import NOTHING_KNOWN, Evidence, FactKind, Key, Standing, fold, join
from tests.support.strategies import standings

KEY, OTHER_KEY = Key(Address("ada@example.com")), Key(Address("bob@example.net"))
tables = st.dictionaries(st.sampled_from([KEY, OTHER_KEY, Key(KEY.address, "marketing")]), standings)


def a_standing(kind: FactKind = FactKind.HARD, at_ms: int = 1, event_id: str = "e", spelling: str = "") -> Standing:
    return fold([(kind, Evidence(at_ms=at_ms, event_id=event_id, spelling=spelling))])


def test_the_digest_of_an_item_is_that_of_its_parts_in_order() -> None:
    """Address and scope, then kinds in alphabetical order, each text with its length."""
    standing = join(a_standing(FactKind.HARD), a_standing(FactKind.ECHO))
    text = "15:ada@example.com1:*4:echo1:11:e0:0:0:0:0:4:hard1:11:e0:0:0:0:0:"
    assert digest([(KEY, standing)]) == sha256(text.encode()).hexdigest()


@given(tables, st.randoms(use_true_random=False))
def test_the_order_of_items_does_not_matter(table: dict[Key, Standing], random: Any) -> None:
    """A table has one digest however it is scanned."""
    assert digest(table.items()) == digest(random.sample(list(table.items()), len(table)))


@given(tables, tables)
def test_digests_are_equal_exactly_when_the_facts_are(first: dict[Key, Standing], other: dict[Key, Standing]) -> None:
    """Every field of every fact counts; an item without facts does not."""
    known = [{key: facts for key, facts in table.items() if facts != NOTHING_KNOWN} for table in (first, other)]
    assert (digest(first.items()) == digest(other.items())) == (known[0] == known[1])


def test_the_digest_changes_with_every_part() -> None:
    """Address, scope, kind, time, event and text each change it."""
    tables = [
        [],
        [(KEY, a_standing())],
        [(OTHER_KEY, a_standing())],
        [(Key(KEY.address, "marketing"), a_standing())],
        [(KEY, a_standing(at_ms=2))],
        [(KEY, a_standing(event_id="f"))],
        [(KEY, a_standing(spelling="Ada"))],
        [(KEY, a_standing()), (OTHER_KEY, a_standing())],
        *([(KEY, a_standing(kind))] for kind in FactKind if kind is not FactKind.HARD),
    ]
    assert all(digest(first) != digest(other) for first, other in combinations(tables, 2))


def test_the_digest_is_the_sum_of_its_items() -> None:
    """The words are added modulo 2³², as the SQL does."""
    first, other = digest([(KEY, a_standing())]), digest([(OTHER_KEY, a_standing())])
    words = [slice(start, start + 8) for start in range(0, 64, 8)]
    sums = "".join(f"{(int(first[word], 16) + int(other[word], 16)) % 2**32:08x}" for word in words)
    assert sums == digest([(KEY, a_standing()), (OTHER_KEY, a_standing())])


def test_the_digest_of_one_item_is_the_hash_of_its_texts() -> None:
    """The exact bytes that are hashed are part of the format."""
    text = "15:ada@example.com1:*" + "4:hard1:11:e0:0:0:0:3:Ada"
    assert sha256(text.encode()).hexdigest() == digest([(KEY, a_standing(spelling="Ada"))])


def test_the_facts_of_an_item_are_sorted_as_text() -> None:
    """SQL sorts them as text too, in which a shorter number comes first."""
    standing = fold((FactKind.HARD, Evidence(at_ms=at_ms, event_id="é")) for at_ms in (9, 10))
    text = "15:ada@example.com1:*" + "4:hard1:91:é0:0:0:0:0:" + "4:hard2:101:é0:0:0:0:0:"
    assert sha256(text.encode()).hexdigest() == digest([(KEY, standing)])


def test_items_without_facts_do_not_count() -> None:
    """An empty item has the digest of no item."""
    assert "0" * 64 == digest([]) == digest([(KEY, NOTHING_KNOWN)])


def test_a_scope_that_looks_like_a_fact_is_no_fact() -> None:
    """The lengths prevent a scope from imitating a fact."""
    disguised = Key(KEY.address, "*4:hard1:11:e0:0:0:0:0:")
    two = fold([(FactKind.HARD, Evidence(at_ms=1, event_id="e")), (FactKind.SUPPRESS, Evidence(at_ms=2, event_id="f"))])
    first = fold([(FactKind.SUPPRESS, Evidence(at_ms=2, event_id="f"))])
    assert digest([(KEY, two)]) != digest([(disguised, first)])

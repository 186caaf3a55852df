"""Tests of `pipeline.address`: every spelling of a mailbox has one key."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.address import MAX_ADDRESS_BYTES, MAX_TEXT_LENGTH, Address, bare, canonical, domain, is_simulator

local_parts = st.text(st.sampled_from("abcXYZ019.+-_'/"), min_size=1, max_size=8)
domains = st.sampled_from(["example.com", "bücher.example", "Müller.DE", "例え.テスト", "xn--bcher-kva.example"])
spellings = st.builds(lambda local, name: f"{local}@{name}", local_parts, domains)


@given(spellings)
def test_canonical_is_idempotent(spelling: str) -> None:
    """A canonical address is its own canonical form."""
    key = canonical(spelling)
    assert key is not None
    assert key == canonical(key)


@given(st.text(st.sampled_from('a@<>(). \tÉΣ\u3000"'), max_size=12))
@example("x<y@z>>")
@example("ada@example.com(a)(b)")
def test_canonical_is_idempotent_for_any_text(text: str) -> None:
    """This holds for brackets, comments and odd characters in any order."""
    key = canonical(text)
    assert key is None or key == canonical(key)


@given(
    spellings, st.sampled_from(["{}", " {} ", "<{}>", "Ada <{}>", '"Lovelace, Ada" <{}>', "=?utf-8?q?Ada?= < {} >\r\n"])
)
def test_case_and_display_names_do_not_change_the_key(spelling: str, form: str) -> None:
    """Every way to write a mailbox has one key."""
    assert canonical(spelling) == canonical(form.format(spelling)) == canonical(form.format(spelling.upper()))


@pytest.mark.parametrize(
    ("unicode_form", "a_label"),
    [
        ("bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER.EXAMPLE", "XN--BCHER-KVA.example"),
        ("例え.テスト", "xn--r8jz45g.xn--zckzah"),
        ("例え。テスト", "xn--r8jz45g.xn--zckzah"),
        ("faß.example", "xn--fa-hia.example"),
    ],
)
def test_unicode_domain_and_a_label_have_one_key(unicode_form: str, a_label: str) -> None:
    """UTS 46 maps both to the same A-label."""
    assert canonical(f"ada@{a_label}") == canonical(f"ada@{unicode_form}")


@pytest.mark.parametrize(
    "text", ["", " ", "<>", "ada", "@", "ada@", "@example.com", "Ada <>", "ada@ ", "\ud83d@example.com"]
)
def test_a_text_without_an_address_has_no_key(text: str) -> None:
    """A missing part, or half a surrogate pair, is no address."""
    assert canonical(text) is None


@pytest.mark.parametrize("wide", ["a", "é"])
def test_an_address_has_at_most_320_bytes(wide: str) -> None:
    """The limit is of bytes, so it also holds for letters of two bytes."""
    size_bytes = MAX_ADDRESS_BYTES - len("@example.com")
    local = wide * (size_bytes // len(wide.encode()))
    assert canonical(f"{local}@example.com") == f"{local}@example.com"
    assert canonical(f"{local}{wide}@example.com") is None


def test_plus_tags_and_dots_belong_to_the_mailbox() -> None:
    """They are kept, since they are part of the mailbox at most providers."""
    assert canonical("A.da+News@Gmail.com") == "a.da+news@gmail.com"


def test_a_domain_that_is_no_host_name_is_kept_in_lower_case() -> None:
    """UTS 46 rejects it, and the address still needs a key."""
    assert canonical("ada@Bü_cher..example") == "ada@bü_cher..example"


def test_the_domain_follows_the_last_at_sign() -> None:
    """A quoted local part may contain an "@"."""
    address = canonical('"a@b"@Example.com')
    assert address is not None
    assert domain(address) == "example.com"


@pytest.mark.parametrize(
    ("address", "simulator"),
    [
        ("bounce@simulator.amazonses.com", True),
        ("bounce+label@simulator.amazonses.com", True),
        ("bounce@notsimulator.amazonses.com", False),
        ("bounce@simulator.amazonses.com.example", False),
    ],
)
def test_the_simulator_is_identified_by_its_domain(address: str, simulator: bool) -> None:
    """Labels are allowed; similar domains are not the simulator."""
    assert is_simulator(Address(address)) is simulator


@pytest.mark.parametrize(
    "text",
    [
        *("<(a@b)>", "<a@b()>", "a@b;", "Ada <a@b>,"),
        "a@b, ;",
    ],
)
def test_canonical_is_idempotent_within_brackets_and_comments(text: str) -> None:
    """These forms once had a key that changed when it was read again."""
    key = canonical(text)
    assert key is None or key == canonical(key)


@pytest.mark.parametrize("text", ["()" * 16_000 + "a)", "a@b" + " " * 40_000 + ")", "a" * MAX_TEXT_LENGTH + "@b"])
def test_a_text_too_long_is_not_parsed(text: str) -> None:
    """Parsing takes quadratic time, so one such record would block its shard at every attempt."""
    assert (bare(text), canonical(text)) == ("", None)


def test_a_text_of_the_greatest_length_is_parsed() -> None:
    """The limit includes a display name."""
    address = "ada@example.com"
    name = "x" * (MAX_TEXT_LENGTH - len(f" <{address}>"))
    assert canonical(f"{name} <{address}>") == address

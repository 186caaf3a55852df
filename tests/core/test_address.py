"""One mailbox has one key, however it was spelled."""

from time import process_time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.address import MAX_ADDRESS_BYTES, Address, canonical, domain, is_simulator

local_parts = st.text(st.sampled_from("abcXYZ019.+-_'/"), min_size=1, max_size=8)
domains = st.sampled_from(["example.com", "bücher.example", "Müller.DE", "例え.テスト", "xn--bcher-kva.example"])
spellings = st.builds(lambda local, name: f"{local}@{name}", local_parts, domains)


@given(spellings)
def test_a_key_is_its_own_key(spelling: str) -> None:
    key = canonical(spelling)
    assert key is not None
    assert key == canonical(key)


@given(st.text(st.sampled_from('a@<>(). \tÉΣ\u3000"'), max_size=12))
@example("x<y@z>>")
@example("ada@example.com(a)(b)")
def test_a_key_of_anything_is_its_own_key(text: str) -> None:
    key = canonical(text)
    assert key is None or key == canonical(key)


@given(
    spellings, st.sampled_from(["{}", " {} ", "<{}>", "Ada <{}>", '"Lovelace, Ada" <{}>', "=?utf-8?q?Ada?= < {} >\r\n"])
)
def test_case_and_display_names_do_not_change_the_key(spelling: str, form: str) -> None:
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
def test_both_spellings_of_an_international_domain_give_one_key(unicode_form: str, a_label: str) -> None:
    assert canonical(f"ada@{a_label}") == canonical(f"ada@{unicode_form}")


@pytest.mark.parametrize(
    "text", ["", " ", "<>", "ada", "@", "ada@", "@example.com", "Ada <>", "ada@ ", "\ud83d@example.com"]
)
def test_what_is_no_address_has_no_key(text: str) -> None:
    assert canonical(text) is None


@pytest.mark.parametrize("wide", ["a", "é"])
def test_an_address_has_at_most_320_bytes(wide: str) -> None:
    size_bytes = MAX_ADDRESS_BYTES - len("@example.com")
    local = wide * (size_bytes // len(wide.encode()))
    assert canonical(f"{local}@example.com") == f"{local}@example.com"
    assert canonical(f"{local}{wide}@example.com") is None


def test_plus_tags_and_dots_belong_to_the_mailbox() -> None:
    assert canonical("A.da+News@Gmail.com") == "a.da+news@gmail.com"


def test_a_domain_that_is_no_host_name_is_kept_in_lower_case() -> None:
    assert canonical("ada@Bü_cher..example") == "ada@bü_cher..example"


def test_the_domain_stands_behind_the_last_at_sign() -> None:
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
def test_the_simulator_is_known_by_its_domain(address: str, simulator: bool) -> None:
    assert is_simulator(Address(address)) is simulator


@pytest.mark.parametrize(
    "text",
    [
        *("<(a@b)>", "<a@b()>", "a@b;", "Ada <a@b>,"),
        "a@b, ;",
    ],
)
def test_a_key_is_its_own_key_whatever_brackets_and_comments_it_is_in(text: str) -> None:
    key = canonical(text)
    assert key is None or key == canonical(key)


@pytest.mark.parametrize("text", ["()" * 16_000 + "a)", "a@b" + " " * 40_000 + ")"])
def test_a_text_of_any_length_is_parsed_at_once(text: str) -> None:
    """One record with such a recipient would stop a shard for as long as it is tried again."""
    started = process_time()
    canonical(text)
    assert process_time() - started < 0.2

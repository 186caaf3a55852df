"""Tests of `pipeline.address`: every spelling of a mailbox has one key."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.address import (
    MAX_ADDRESS_BYTES,
    MAX_TEXT_LENGTH,
    Address,
    _cached_mailboxes,
    bare,
    canonical,
    domain,
    is_simulator,
    mailboxes,
)

local_parts = st.text(st.sampled_from("abcXYZ019.+-_/"), min_size=1, max_size=8).filter(lambda text: text.strip("."))
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
    "text",
    [
        *("", " ", "<>", "ada", "@", "ada@", "@example.com", "Ada <>", "ada@ ", "\ud83d@example.com"),
        *(
            "a@b@example.com",
            "a@@example.com",
            "a b@example.com",
            "ada@exam ple.com",
            "ada@example.com ann@example.com",
        ),
        *("ada@example..com", "ada@.example.com", "ada@-example.com", "ada@example-.com", "ada@exa!mple.com"),
        *("..@example.com", '""@example.com', "a\x00b@example.com", "a(b@example.com", "undisclosed-recipients:;"),
        *("ada@[192.0.2]", "ada@[", f"ada@{'a' * 64}.example", f"ada@{'a.' * 127}example", "ada@Bü_cher..example"),
        *("http://ada@example.com", "<http://ada@example.com>", "ftp://ada@example.com/x"),
        *("ada@example.com, ann@example.com", "ada@example.com, ann", "ann, ada@example.com", "\u200b"),
    ],
)
def test_what_is_not_one_mailbox_has_no_key(text: str) -> None:
    """A text without an address, with something else beside it, or with two addresses has none."""
    assert (canonical(text), bare(text)) == (None, "")


@pytest.mark.parametrize(
    "text",
    [
        *("<ada@example.com", "ada@example.com>", "'ada@example.com'", '"ada@example.com"', '"ada"@example.com'),
        *("mailto:ada@example.com", "MAILTO:ada@example.com?subject=x", "<mailto:%61da@example.com>"),
        *("rfc822;ada@example.com", "RFC822; ada@example.com", "utf-8;ada@example.com", "ada@example.com."),
        *("mailto://ada@example.com", "ada\ufe0f@example.com", "\u2800ada@example.com", "ada@example.com\u3164"),
        *("\u200bada@example.com", "ada@exa\u00admple.com", "\ufeffada@example.com", "\u202aada@example.com\u202c"),
        *(
            "(Ada) ada@example.com",
            "ada@example.com (Ada (the countess))",
            "ada(x)@example.com",
            "ada@example.com (Ada",
        ),
        *("Ada <ada@example.com> via list", '"Ada <ada@example.com>', "Lovelace, Ada <ada@example.com>"),
        *('"Lovelace, \\"A\\" (b@c.example)" <ada@example.com>', "ann@example.com <ada@example.com>"),
        *("ada@example.com\x00", "ada@exam\r\n ple.com", "ada @example.com", "Team: ada@example.com;"),
        *(
            "<@relay.example:ada@example.com>",
            "ada@example.com, ADA@example.com",
            "ada@example.com,",
            ";ada@example.com",
        ),
    ],
)
def test_every_form_of_a_mailbox_has_its_key(text: str) -> None:
    """Headers, notifications, URIs and what people paste name the same mailbox."""
    assert canonical(text) == "ada@example.com"


@pytest.mark.parametrize(
    ("text", "found", "unusable"),
    [
        ("Ada <ada@example.com>, Bob <bob@example.net>", ["ada@example.com", "bob@example.net"], 0),
        ("ada@example.com;bob@example.net", ["ada@example.com", "bob@example.net"], 0),
        ("Team: ada@example.com, bob@example.net;", ["ada@example.com", "bob@example.net"], 0),
        ("<ada@example.com> <bob@example.net>", ["ada@example.com", "bob@example.net"], 0),
        ("Ada <ada@example.com, Bob <bob@example.net", ["ada@example.com", "bob@example.net"], 0),
        ("ada@example.com, no address, bob@example.net", ["ada@example.com", "bob@example.net"], 1),
        ("ada@example.com, ADA@EXAMPLE.COM", ["ada@example.com"], 0),
        ("<ada@example.com> bob@example.net", ["ada@example.com", "bob@example.net"], 0),
        ("ann@example.org <ada@example.com>", ["ada@example.com"], 0),
        ("mailto:ada@example.com?cc=x,bob@example.net", ["ada@example.com"], 0),
        ("", [], 1),
    ],
)
def test_a_field_may_name_several_mailboxes(text: str, found: list[str], unusable: int) -> None:
    """Each part that names none is counted."""
    parsed = mailboxes(text)
    assert ([mailbox.address for mailbox in parsed.found], parsed.unusable) == (found, unusable)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('"a b"@example.com', '"a b"@example.com'),
        ('"A\\ B"@example.com', '"a b"@example.com'),
        ('"a@b"@Example.com', '"a@b"@example.com'),
        ('"a\\"b"@example.com', '"a\\"b"@example.com'),
        ("jose\u0301@example.com", "josé@example.com"),
        ("a..b@docomo.ne.jp", "a..b@docomo.ne.jp"),
        ("a.@ezweb.ne.jp", "a.@ezweb.ne.jp"),
        ("o'neil@example.com", "o'neil@example.com"),
        ("//ada@example.com", "//ada@example.com"),
        ("ada@localhost", "ada@localhost"),
        ("ada@[192.0.2.1]", "ada@[192.0.2.1]"),
        ("ada@[IPv6:2001:DB8::1]", "ada@[ipv6:2001:db8::1]"),
    ],
)
def test_unusual_mailboxes_have_keys(text: str, key: str) -> None:
    """Quoted local parts, Unicode, dots at odd places and address literals are valid or in use."""
    assert canonical(text) == key


def test_the_spelling_is_the_address_as_written() -> None:
    """It is without display name, and with its case, because SES's list has case."""
    assert bare("Ada <Ada@Example.COM>") == "Ada@Example.COM"


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
    """It is no field of a record."""
    assert (bare(text), canonical(text)) == ("", None)


@given(st.text(max_size=60) | st.text(st.sampled_from("a@b.<>(),;:\"\\' \u200b\r\n[]"), max_size=30))
def test_any_text_is_parsed(text: str) -> None:
    """Every key is its own key, and at most 320 bytes of UTF-8."""
    for mailbox in mailboxes(text).found:
        assert canonical(mailbox.address) == mailbox.address
        assert len(mailbox.address.encode()) <= MAX_ADDRESS_BYTES


def test_long_fields_are_not_kept_in_memory() -> None:
    """A remote server writes a field, so many long ones must not fill a consumer's memory."""
    size_before = _cached_mailboxes.cache_info().currsize
    for number in range(50):
        assert canonical(f"{number} {'x' * MAX_ADDRESS_BYTES} <ada@example.com>") == "ada@example.com"
    assert _cached_mailboxes.cache_info().currsize == size_before


LOOK_ALIKES = ["\u0430da@example.com", "ada@ex\u0430mple.com", "a\u0301da@example.com", "ada@example.com.evil.example"]
SAME = ["ADA@EXAMPLE.COM", "ada@\uff45xample.com", "a\u200bda@example\u2060.com", "ada@example.com."]


@pytest.mark.parametrize("look_alike", LOOK_ALIKES)
def test_a_look_alike_has_a_key_of_its_own(look_alike: str) -> None:
    """Cyrillic letters, accents and longer domains are other mailboxes; a bounce of one is no fact about the other."""
    assert canonical(look_alike) not in {None, "ada@example.com"}


@pytest.mark.parametrize("same", SAME)
def test_only_spellings_of_one_mailbox_collide(same: str) -> None:
    """Case, characters without width, and what IDNA maps are the same for mail servers too, or no address at all."""
    assert canonical(same) == "ada@example.com"

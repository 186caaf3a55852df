"""Headers of raw MIME messages, valid and invalid."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.local.gateway.raw_message import read_raw


@given(st.binary() | st.binary().map(lambda data: b"From: " + data + b"\r\nTo: " + data + b"\r\nSubject: =?" + data))
def test_every_bytes_object_parses(data: bytes) -> None:
    """No bytes make the parser raise."""
    read_raw(data)


def test_addresses_are_split_with_their_names() -> None:
    """Each address header is split into addresses, with their display names."""
    message = read_raw(
        b'From: "News, daily" <news@example.com>\r\nTo: Ann <ann@example.com>,\r\n bob@example.com\r\n'
        b"Cc: cy@example.com\r\nBcc: dee@example.com\r\nReply-To: help@example.com\r\n\r\nhi"
    )
    assert message.sender == '"News, daily" <news@example.com>'
    assert message.to == ("Ann <ann@example.com>", "bob@example.com")
    assert (message.cc, message.bcc, message.reply_to) == (
        ("cy@example.com",),
        ("dee@example.com",),
        ("help@example.com",),
    )


def test_encoded_words_and_folding_are_decoded() -> None:
    """A folded header with encoded words is one decoded text."""
    message = read_raw(b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n aus Wien\r\n\r\nhi")
    assert message.subject == "Grüße aus Wien"


def test_an_encoded_name_may_contain_a_comma() -> None:
    """A display name that decodes to special characters is put into quotes."""
    assert read_raw(b"To: =?utf-8?q?Lee=2C_Ann?= <ann@example.com>\r\n\r\nhi").to == ('"Lee, Ann" <ann@example.com>',)


def test_unencoded_bytes_are_utf_8() -> None:
    """Bytes outside ASCII that are not encoded are read as UTF-8."""
    message = read_raw("To: Jörg <jörg@müller.example>\r\nSubject: Grüße\r\n\r\nhi".encode())
    assert message.to == ("Jörg <jörg@müller.example>",)
    assert message.subject == "Grüße"


def test_an_unknown_character_set_is_kept() -> None:
    """An encoded word in an unknown character set is kept as it is."""
    assert read_raw(b"Subject: =?klingon?q?nuqneH?=\r\n\r\nhi").subject == "=?klingon?q?nuqneH?="


def test_other_headers_keep_their_order() -> None:
    """Headers without a field of their own are listed in order."""
    message = read_raw(b"X-B: 2\r\nFrom: a@example.com\r\nX-A: 1\r\nMessage-ID: <1@example.com>\r\n\r\nhi")
    assert message.headers == (("X-B", "2"), ("X-A", "1"), ("Message-ID", "<1@example.com>"))


def test_a_tag_may_have_several_values() -> None:
    """A tag that is repeated has several values, and text without `=` is ignored."""
    message = read_raw(b"X-SES-MESSAGE-TAGS: team=shop, campaign=spring,team=post, nonsense\r\n\r\nhi")
    assert message.tags == {"team": ("shop", "post"), "campaign": ("spring",)}

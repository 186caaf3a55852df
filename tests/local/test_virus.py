"""The EICAR test file is found in whatever form a mail carries it."""

from email.message import EmailMessage

import pytest

from pipeline.local.ses.publisher import Publisher
from pipeline.local.ses.simulator import EICAR, is_infected
from tests.support.mails import SENT_AT, an_email, event_kind, published


def a_raw_message(attachment: bytes) -> bytes:
    message = EmailMessage()
    message["Subject"] = "Look at this"
    message.set_content("See attached.")
    message.add_attachment(attachment, maintype="application", subtype="octet-stream", filename="sample.txt")
    return message.as_bytes()


def test_eicar_is_the_68_bytes_that_scanners_know() -> None:
    assert (len(EICAR), EICAR[:9], EICAR[-5:]) == (68, b"X5O!P%@AP", b"$H+H*")


@pytest.mark.parametrize("content", [EICAR, b"Hello\n" + EICAR + b"\n", b"Note: " + EICAR, a_raw_message(EICAR)])
def test_eicar_is_found_plain_and_in_an_encoded_attachment(content: bytes) -> None:
    assert is_infected(content)


@pytest.mark.parametrize("content", [b"", b"Hello", a_raw_message(b"Hello"), b"\xff\xfe", b"Content-Type: multipart/x"])
def test_other_content_is_clean(content: bytes) -> None:
    assert not is_infected(content)


def test_an_infected_mail_is_sent_and_rejected_for_everybody() -> None:
    email = an_email("bounce@example.com", "ann@example.com", content=(b"Hello", EICAR))
    assert [event_kind(event) for event in published(email)] == ["Send", "Reject"]


def test_a_rejected_mail_lists_nobody() -> None:
    ses = Publisher(seed=1)
    ses.publish(an_email("bounce@example.com", content=(EICAR,)), sent_at=SENT_AT)
    assert not ses.is_suppressed("bounce@example.com")

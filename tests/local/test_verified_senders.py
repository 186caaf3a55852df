"""On request, the local SES rejects a sender that is not verified, as SES does."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import ClientError

from pipeline.local.gateway.backend import Moto
from tests.support.ses_cloud import MESSAGE, SENDER, TO_ANN, SesCloud

SIMPLE: Any = {"Simple": MESSAGE}


@pytest.fixture
def strict() -> Iterator[SesCloud]:
    moto = Moto()
    cloud = SesCloud(moto, verify_senders=False)
    yield cloud
    cloud.server.close()
    moto.close()


def test_a_sender_has_to_be_verified(strict: SesCloud) -> None:
    """By both APIs, with the address or with its domain."""
    by_ses = partial(strict.ses.send_email, Source=SENDER, Destination=TO_ANN, Message=MESSAGE)
    by_sesv2 = partial(strict.sesv2.send_email, FromEmailAddress=SENDER, Destination=TO_ANN, Content=SIMPLE)
    for send in (by_ses, by_sesv2):
        with pytest.raises(ClientError, match="Email address is not verified") as raised:
            send()
        assert raised.value.response["Error"]["Code"] == "MessageRejected"
    assert strict.records == []
    strict.sesv2.create_email_identity(EmailIdentity="example.com")
    strict.ses.send_email(Source=SENDER, Destination=TO_ANN, Message=MESSAGE)
    assert strict.events()

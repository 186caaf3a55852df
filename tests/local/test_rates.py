"""The view daily_rates counts as AWS counts its reputation metrics."""

from collections.abc import Sequence
from typing import Any

import pytest

from tests.support.builders import ADA, BOB, a_bounce, a_complaint, a_send
from tests.support.log_in_s3 import athena_over

PEOPLE = [f"r{number}@example.net" for number in range(50)]
SIMULATOR = "simulator.amazonses.com"
SENT = [a_send(messageId="m", destination=PEOPLE)]


def bounce(*, recipients: Sequence[str] = PEOPLE[:1], destination: Sequence[str] = PEOPLE, **changes: Any) -> bytes:
    """Return a bounce of the mail to fifty people."""
    return a_bounce(recipients=recipients, destination=list(destination), messageId="m", **changes)


@pytest.mark.parametrize(
    ("events", "rates"),
    [
        (SENT, ("50", "0", "0", "0.0", "0.0")),
        ([*SENT, bounce()], ("50", "1", "0", "2.0", "0.0")),
        ([*SENT, bounce(), bounce(feedback_id="again")], ("50", "1", "0", "2.0", "0.0")),
        ([*SENT, bounce(sub_type="Suppressed")], ("50", "1", "0", "2.0", "0.0")),
        ([*SENT, bounce(person={"status": "5.7.1"})], ("50", "0", "0", "0.0", "0.0")),
        ([*SENT, bounce(sub_type="OnAccountSuppressionList")], ("50", "0", "0", "0.0", "0.0")),
        ([*SENT, bounce(bounce_type="Transient", sub_type="MailboxFull")], ("50", "0", "0", "0.0", "0.0")),
        ([*SENT, a_complaint(recipients=PEOPLE[:3], messageId="m")], ("50", "0", "1", "0.0", "2.0")),
        (
            [*SENT, a_complaint(recipients=PEOPLE[:1], messageId="m", feedback_type="not-spam")],
            ("50", "0", "0", "0.0", "0.0"),
        ),
        ([a_send(destination=[ADA]), a_bounce(recipients=[BOB], destination=[ADA])], ("1", "1", "0", "100.0", "0.0")),
        ([a_send(destination=[ADA]), a_bounce(recipients=[], destination=[ADA])], ("1", "1", "0", "100.0", "0.0")),
        (
            [
                a_send(destination=[ADA]),
                a_send(destination=[f"bounce@{SIMULATOR}", f"complaint+x@{SIMULATOR}"], messageId="s"),
                a_bounce(recipients=[f"bounce@{SIMULATOR}"], messageId="s"),
                a_complaint(recipients=[f"complaint+x@{SIMULATOR}"], messageId="s"),
            ],
            ("1", "0", "0", "0.0", "0.0"),
        ),
    ],
)
def test_rates_are_those_of_aws(events: list[bytes], rates: tuple[str, ...]) -> None:
    """Recipients count, not mails; simulator mail, blocks and own lists do not."""
    with athena_over(*events) as athena:
        result = athena.run("SELECT * FROM daily_rates")
    assert [tuple(row[2:]) for row in result.rows] == [rates]

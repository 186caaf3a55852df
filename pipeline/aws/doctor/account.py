"""SES's account in this region: whether it may send, and whether SES's own list is on.

docs.aws.amazon.com/ses/latest/APIReference-V2/API_GetAccount.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pipeline.aws.doctor.deployment import Deployment
from pipeline.aws.doctor.finding import Finding, fault, warning

if TYPE_CHECKING:
    from mypy_boto3_sesv2 import SESV2Client

REASONS = frozenset({"BOUNCE", "COMPLAINT"})  # for which SES puts an address onto its own list


def check_account(deployment: Deployment) -> Iterator[Finding]:
    """Look at SES's account."""
    ses: SESV2Client = deployment.client("sesv2")
    account = ses.get_account()
    state = account.get("EnforcementStatus")
    if state == "SHUTDOWN" or not account.get("SendingEnabled"):
        yield fault(
            "account_paused",
            "SES has paused sending in this region",
            mending="read AWS's case about it in the SES console (Account dashboard), mend the cause and answer it",
        )
    elif state == "PROBATION":
        yield warning(
            "account_under_review",
            "AWS has put this account's sending under review for its bounces or complaints",
            mending="find the senders with mailfold query (view daily_rates), and answer AWS's case",
        )
    if not account.get("ProductionAccessEnabled"):
        yield warning(
            "account_in_sandbox",
            "SES is in its sandbox: it sends to verified addresses and to the simulator alone",
            mending="ask for production access in the SES console",
        )
    missing = REASONS - {*account.get("SuppressionAttributes", {}).get("SuppressedReasons", [])}
    if missing:
        yield warning(
            "account_list_off",
            f"SES's own suppression list, the safety net below this one, takes no {_words(missing)}",
            mending=deployment.aws("sesv2 put-account-suppression-attributes --suppressed-reasons BOUNCE COMPLAINT"),
        )


def _words(reasons: frozenset[str]) -> str:
    return " and no ".join(f"{reason.lower()}s" for reason in sorted(reasons))

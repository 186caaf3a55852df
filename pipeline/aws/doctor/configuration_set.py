"""The configuration sets themselves: whether they send, count and keep to SES's own list.

docs.aws.amazon.com/ses/latest/APIReference-V2/API_GetConfigurationSet.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pipeline.aws.doctor.account import REASONS
from pipeline.aws.doctor.deployment import Deployment, unless_missing
from pipeline.aws.doctor.finding import Finding, fault, warning

if TYPE_CHECKING:
    from mypy_boto3_sesv2 import SESV2Client


def check_sets(deployment: Deployment) -> Iterator[Finding]:
    """Look at each configuration set itself."""
    ses: SESV2Client = deployment.client("sesv2")
    for name in deployment.sets:
        found = unless_missing(ses.get_configuration_set, ConfigurationSetName=name)
        if found is None:
            yield fault(
                "set_missing",
                f"there is no configuration set {name}: mail that names it is refused",
                mending=deployment.aws(f"sesv2 create-configuration-set --configuration-set-name {name}"),
            )
            continue
        yield from _settings(deployment, name, found)


def _settings(deployment: Deployment, name: str, found: Mapping[str, Any]) -> Iterator[Finding]:
    if not found.get("SendingOptions", {}).get("SendingEnabled", True):
        yield fault(
            "set_paused",
            f"sending with the configuration set {name} is switched off",
            mending=deployment.aws(
                f"sesv2 put-configuration-set-sending-options --configuration-set-name {name} --sending-enabled"
            ),
        )
    if not found.get("ReputationOptions", {}).get("ReputationMetricsEnabled"):
        yield warning(
            "set_without_rates",
            f"SES does not count the bounce and complaint rates of the configuration set {name}",
            mending=deployment.aws(
                "sesv2 put-configuration-set-reputation-options "
                f"--configuration-set-name {name} --reputation-metrics-enabled"
            ),
        )
    options = found.get("SuppressionOptions")  # without any, those of the account hold
    if options is not None and REASONS - {*options.get("SuppressedReasons", [])}:
        yield warning(
            "set_list_off",
            f"for the configuration set {name}, SES's own suppression list does not stop both bounces and complaints",
            mending=deployment.aws(
                f"sesv2 put-configuration-set-suppression-options --configuration-set-name {name} "
                "--suppressed-reasons BOUNCE COMPLAINT"
            ),
        )

"""All checks, in the order in which an event passes through the deployment, and the function that runs them.

A check that cannot run, because AWS denies a call or is unavailable, becomes a finding and stops no other check.
"""

from collections.abc import Callable, Iterator

import msgspec

from pipeline.aws.doctor.archive import (
    check_firehose,
    check_lake_formation,
    check_log_table,
    check_public_access,
    check_tls,
    check_versioning,
    check_views,
    check_workgroup,
)
from pipeline.aws.doctor.consumer import check_consumer
from pipeline.aws.doctor.deployment import Deployment
from pipeline.aws.doctor.finding import Finding, ok, unknown
from pipeline.aws.doctor.functions import (
    check_concurrency,
    check_notification_mapping,
    check_projector,
    check_stream_mapping,
    check_transform,
)
from pipeline.aws.doctor.iam import role_check
from pipeline.aws.doctor.leases import check_leases
from pipeline.aws.doctor.leftovers import (
    check_dead_letters,
    check_delivery_errors,
    check_failed_batches,
    check_quarantine,
)
from pipeline.aws.doctor.operations import (
    check_alarm_subscribers,
    check_alarms,
    check_events_of_bounces,
    check_events_of_mail,
    check_quota,
    check_stack,
    check_unrecognized,
)
from pipeline.aws.doctor.proof import check_proof
from pipeline.aws.doctor.rebuild import check_rebuild
from pipeline.aws.doctor.routing import check_rule, check_stream, check_subscription, check_target
from pipeline.aws.doctor.ses import (
    check_account,
    check_account_list,
    check_configuration_sets,
    check_destinations,
    check_identities,
)
from pipeline.aws.doctor.table import (
    check_backups,
    check_policy,
    check_senders,
    check_tables,
    check_tables_parameter,
)
from pipeline.aws.doctor.tenants import check_tenants
from pipeline.aws.errors import translated
from pipeline.errors import MailfoldError

CheckFunction = Callable[[Deployment], Iterator[Finding]]
"""Yields the problems of one part of a deployment, and nothing if there is none."""


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """The check of one link between SES, the event log and the suppression table.

    Attributes:
        name: The name of the link.
        ok_message: What is true if no function yields a finding.
        functions: They run independently of each other.
    """

    name: str
    ok_message: str
    functions: tuple[CheckFunction, ...]


class CheckResult(msgspec.Struct, frozen=True, kw_only=True):
    """The findings of a check, at least one."""

    check: str
    findings: tuple[Finding, ...]


CHECKS = (
    Check(name="stack", ok_message="CloudFormation's last operation succeeded", functions=(check_stack,)),
    Check(name="SES account", ok_message="sending and the account list are enabled", functions=(check_account,)),
    Check(name="identities", ok_message="each uses one of the configuration sets", functions=(check_identities,)),
    Check(
        name="configuration sets",
        ok_message="they send, and apply SES's suppression list",
        functions=(check_configuration_sets,),
    ),
    Check(name="destinations", ok_message="every event type is published", functions=(check_destinations,)),
    Check(name="SES's role", ok_message="SES can write to Firehose", functions=(role_check("SesRole"),)),
    Check(name="Firehose", ok_message="it writes records to the log as Parquet", functions=(check_firehose,)),
    Check(name="Firehose's role", ok_message="it can transform and write", functions=(role_check("DeliveryRole"),)),
    Check(
        name="transform",
        ok_message="the function can run and write its logs",
        functions=(check_transform, role_check("TransformRole")),
    ),
    Check(
        name="bucket",
        ok_message="it is private, requires TLS and keeps old versions",
        functions=(check_public_access, check_tls, check_versioning),
    ),
    Check(name="Firehose's quota", ok_message="yesterday's peak was well below it", functions=(check_quota,)),
    Check(
        name="Glue table",
        ok_message="its columns match schemas/log.json",
        functions=(check_log_table, check_lake_formation),
    ),
    Check(name="Athena", ok_message="the log can be queried", functions=(check_workgroup, check_views)),
    Check(name="rule", ok_message="it sends all feedback to the stream", functions=(check_rule, check_target)),
    Check(name="rule's role", ok_message="it can write to the stream", functions=(role_check("FeedbackRuleRole"),)),
    Check(name="stream", ok_message="it is encrypted and keeps records long enough", functions=(check_stream,)),
    Check(
        name="mapping",
        ok_message="Lambda calls the projector and retries, if Lambda reads the stream",
        functions=(check_stream_mapping, check_concurrency),
    ),
    Check(
        name="consumer",
        ok_message="it runs and reads every shard, if one replaces Lambda",
        functions=(check_consumer, check_leases),
    ),
    Check(
        name="consumer's roles",
        ok_message="they have the permissions they need, if the consumer is a container",
        functions=(role_check("ConsumerRole"), role_check("ConsumerStartRole")),
    ),
    Check(
        name="notifications",
        ok_message="they are projected, if the stack has an SNS topic",
        functions=(check_subscription, check_notification_mapping),
    ),
    Check(name="projector", ok_message="the function can run on the stack's resources", functions=(check_projector,)),
    Check(name="projector's role", ok_message="its permissions suffice", functions=(role_check("ProjectorRole"),)),
    Check(
        name="table",
        ok_message="the live table exists, is protected, and has the verdicts of the policy in force",
        functions=(check_tables_parameter, check_tables, check_senders, check_backups, check_policy),
    ),
    Check(
        name="drill",
        ok_message="the table is proved equal to the log, or too young for a drill",
        functions=(check_proof,),
    ),
    Check(name="rebuild", ok_message="none stopped before its end", functions=(check_rebuild,)),
    Check(
        name="tenants",
        ok_message="a list stops each one's mail, and the table suppresses what their own lists have",
        functions=(check_tenants,),
    ),
    Check(name="account list", ok_message="the table suppresses its entries", functions=(check_account_list,)),
    Check(
        name="failed records",
        ok_message="quarantine, failed batches, delivery errors and dead-letter queues are empty",
        functions=(check_quarantine, check_failed_batches, check_delivery_errors, check_dead_letters),
    ),
    Check(
        name="alarms",
        ok_message="none is active, and the topic has a subscriber",
        functions=(check_alarms, check_alarm_subscribers),
    ),
    Check(name="event types", ok_message="all are recognized", functions=(check_unrecognized,)),
    Check(
        name="event flow",
        ok_message="events arrive for mail that is sent",
        functions=(check_events_of_mail, check_events_of_bounces),
    ),
)


def run_checks(deployment: Deployment, checks: tuple[Check, ...] = CHECKS) -> Iterator[CheckResult]:
    """Yield the result of each check, in order."""
    for check in checks:
        findings = tuple(
            finding for function in check.functions for finding in _run_function(deployment, check, function)
        )
        yield CheckResult(check=check.name, findings=findings or (ok(check.ok_message),))


def _run_function(deployment: Deployment, check: Check, function: CheckFunction) -> list[Finding]:
    findings: list[Finding] = []
    try:
        with translated(f"checking {check.name}"):
            findings.extend(function(deployment))
    except MailfoldError as error:
        findings.append(unknown("not_checked", str(error)))
    # A response that differs from its documentation, most often an emulator's, must not stop the other checks.
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        message = f"a response of AWS differs from its documentation ({type(error).__name__} in {function.__name__})"
        findings.append(unknown("unexpected_response", message))
    return findings

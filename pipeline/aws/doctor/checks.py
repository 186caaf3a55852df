"""Every link of the flow in its order, and what is checked of it."""

from collections.abc import Callable, Iterator

import msgspec

from pipeline.aws.doctor.archive import (
    check_firehose,
    check_log_table,
    check_public_access,
    check_tls,
    check_versioning,
    check_views,
    check_workgroup,
)
from pipeline.aws.doctor.consumer import check_consumer, check_leases
from pipeline.aws.doctor.deployment import Deployment
from pipeline.aws.doctor.finding import Finding, ok, unknown
from pipeline.aws.doctor.functions import check_mapping, check_notification_mapping, check_projector, check_transform
from pipeline.aws.doctor.iam import (
    check_consumer_roles,
    check_delivery_role,
    check_feedback_rule_role,
    check_projector_role,
    check_ses_role,
    check_transform_role,
)
from pipeline.aws.doctor.operations import (
    check_alarms,
    check_dead_letters,
    check_errors,
    check_feedback,
    check_given_up,
    check_listeners,
    check_mail,
    check_quarantine,
    check_stack,
)
from pipeline.aws.doctor.routing import check_rule, check_stream, check_subscription, check_target
from pipeline.aws.doctor.ses import check_account, check_account_list, check_destinations, check_identities, check_sets
from pipeline.aws.doctor.table import check_backups, check_parameter, check_policy, check_tables
from pipeline.aws.errors import translated
from pipeline.errors import MailfoldError

CheckFunction = Callable[[Deployment], Iterator[Finding]]
"""Gives what is wrong with something, and nothing if all is well. Each stands alone: if one cannot look, others do."""


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """A link of the flow.

    Attributes:
        name: What it is.
        promise: What is so if no check of it finds anything.
        checks: What is looked at.
    """

    name: str
    promise: str
    checks: tuple[CheckFunction, ...]


class CheckResult(msgspec.Struct, frozen=True, kw_only=True):
    """A link, and what was found there: at least one finding."""

    link: str
    findings: tuple[Finding, ...]


LINKS = (
    Check(name="stack", promise="CloudFormation ended well", checks=(check_stack,)),
    Check(name="SES account", promise="it may send, and SES's own list is on", checks=(check_account,)),
    Check(name="identities", promise="each sends with a set of the stack's", checks=(check_identities,)),
    Check(name="configuration sets", promise="they send, and count bounces", checks=(check_sets,)),
    Check(name="destinations", promise="every event type leads on", checks=(check_destinations,)),
    Check(name="SES's role", promise="SES may write the log", checks=(check_ses_role,)),
    Check(name="Firehose", promise="records become Parquet in the log", checks=(check_firehose,)),
    Check(name="Firehose's role", promise="Firehose may transform and write", checks=(check_delivery_role,)),
    Check(name="transform", promise="it runs, and says so", checks=(check_transform, check_transform_role)),
    Check(
        name="bucket",
        promise="it is closed, read by TLS alone, and versioned",
        checks=(check_public_access, check_tls, check_versioning),
    ),
    Check(name="Glue table", promise="its columns are those of schemas/log.json", checks=(check_log_table,)),
    Check(name="Athena", promise="the log can be asked", checks=(check_workgroup, check_views)),
    Check(name="rule", promise="feedback of every set goes into the stream", checks=(check_rule, check_target)),
    Check(name="rule's role", promise="the rule may write into the stream", checks=(check_feedback_rule_role,)),
    Check(name="stream", promise="it keeps what the stack asks for, encrypted", checks=(check_stream,)),
    Check(name="mapping", promise="the projector is called, and tried again, if Lambda reads", checks=(check_mapping,)),
    Check(
        name="consumer",
        promise="it runs, and reads every shard, if there is one in Lambda's place",
        checks=(check_consumer, check_leases),
    ),
    Check(
        name="consumer's roles", promise="it may do all it has to, if it is a container", checks=(check_consumer_roles,)
    ),
    Check(
        name="notifications",
        promise="they are projected, if the stack takes any",
        checks=(check_subscription, check_notification_mapping),
    ),
    Check(name="projector", promise="it runs, on what the stack made", checks=(check_projector,)),
    Check(name="projector's role", promise="it may do all it has to", checks=(check_projector_role,)),
    Check(
        name="table",
        promise="the live one is there and protected",
        checks=(check_parameter, check_tables, check_backups, check_policy),
    ),
    Check(name="SES's own list", promise="the table knows what stands there", checks=(check_account_list,)),
    Check(
        name="set aside",
        promise="quarantine, errors and dead letters are empty",
        checks=(check_quarantine, check_given_up, check_errors, check_dead_letters),
    ),
    Check(name="alarms", promise="none rings, and somebody would hear it", checks=(check_alarms, check_listeners)),
    Check(name="silence", promise="where mail was sent, events came", checks=(check_mail, check_feedback)),
)


def run_checks(deployment: Deployment, links: tuple[Check, ...] = LINKS) -> Iterator[CheckResult]:
    """Look at each link in turn; what cannot be looked at is a finding too, and stops nothing."""
    for link in links:
        found = tuple(finding for check in link.checks for finding in _looked(deployment, link, check))
        yield CheckResult(link=link.name, findings=found or (ok(link.promise),))


def _looked(deployment: Deployment, link: Check, check: CheckFunction) -> list[Finding]:
    found: list[Finding] = []
    try:
        with translated(f"looking at {link.name}"):
            found.extend(check(deployment))
    except MailfoldError as error:
        found.append(unknown("not_looked_at", str(error)))
    # An answer that is not as documented, most often an emulator's, must not keep the other checks from looking.
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        words = f"an answer of AWS is not as its documentation has it ({type(error).__name__} in {check.__name__})"
        found.append(unknown("not_understood", words))
    return found

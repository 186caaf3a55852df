"""Every link of the flow in its order, and what is checked of it."""

from collections.abc import Callable, Iterator

import msgspec

from pipeline.aws.doctor.account import check_account
from pipeline.aws.doctor.alarm import check_alarms, check_listeners
from pipeline.aws.doctor.bucket import check_public_access, check_tls, check_versioning
from pipeline.aws.doctor.configuration_set import check_sets
from pipeline.aws.doctor.consumer import check_consumer, check_leases
from pipeline.aws.doctor.deployment import Deployment
from pipeline.aws.doctor.destination import check_destinations
from pipeline.aws.doctor.finding import Finding, good, unknown
from pipeline.aws.doctor.firehose import check_firehose
from pipeline.aws.doctor.function import check_projector, check_transform
from pipeline.aws.doctor.identity import check_identities
from pipeline.aws.doctor.leftover import check_dead_letters, check_errors, check_given_up, check_quarantine
from pipeline.aws.doctor.log_table import check_log_table
from pipeline.aws.doctor.mapping import check_mapping, check_notification_mapping
from pipeline.aws.doctor.notification import check_subscription
from pipeline.aws.doctor.own_list import check_own_list
from pipeline.aws.doctor.role import (
    check_consumer_roles,
    check_delivery_role,
    check_feedback_rule_role,
    check_projector_role,
    check_ses_role,
    check_transform_role,
)
from pipeline.aws.doctor.rule import check_rule, check_target
from pipeline.aws.doctor.silence import check_feedback, check_mail
from pipeline.aws.doctor.stack_state import check_stack
from pipeline.aws.doctor.stream import check_stream
from pipeline.aws.doctor.table import check_backups, check_parameter, check_policy, check_tables
from pipeline.aws.doctor.workgroup import check_views, check_workgroup
from pipeline.aws.refusal import asking
from pipeline.errors import MailfoldError

Check = Callable[[Deployment], Iterator[Finding]]
"""Gives what is wrong with something, and nothing if all is well. Each stands alone: if one cannot look, others do."""


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """A link of the flow.

    Attributes:
        name: What it is.
        promise: What is so if no check of it finds anything.
        checks: What is looked at.
    """

    name: str
    promise: str
    checks: tuple[Check, ...]


class Examined(msgspec.Struct, frozen=True, kw_only=True):
    """A link, and what was found there: at least one finding."""

    link: str
    findings: tuple[Finding, ...]


LINKS = (
    Link(name="stack", promise="CloudFormation ended well", checks=(check_stack,)),
    Link(name="SES account", promise="it may send, and SES's own list is on", checks=(check_account,)),
    Link(name="identities", promise="each sends with a set of the stack's", checks=(check_identities,)),
    Link(name="configuration sets", promise="they send, and count bounces", checks=(check_sets,)),
    Link(name="destinations", promise="every event type leads on", checks=(check_destinations,)),
    Link(name="SES's role", promise="SES may write the log", checks=(check_ses_role,)),
    Link(name="Firehose", promise="records become Parquet in the log", checks=(check_firehose,)),
    Link(name="Firehose's role", promise="Firehose may transform and write", checks=(check_delivery_role,)),
    Link(name="transform", promise="it runs, and says so", checks=(check_transform, check_transform_role)),
    Link(
        name="bucket",
        promise="it is closed, read by TLS alone, and versioned",
        checks=(check_public_access, check_tls, check_versioning),
    ),
    Link(name="Glue table", promise="its columns are those of schemas/log.json", checks=(check_log_table,)),
    Link(name="Athena", promise="the log can be asked", checks=(check_workgroup, check_views)),
    Link(name="rule", promise="feedback of every set goes into the stream", checks=(check_rule, check_target)),
    Link(name="rule's role", promise="the rule may write into the stream", checks=(check_feedback_rule_role,)),
    Link(name="stream", promise="it keeps what the stack asks for, encrypted", checks=(check_stream,)),
    Link(name="mapping", promise="the projector is called, and tried again, if Lambda reads", checks=(check_mapping,)),
    Link(
        name="consumer",
        promise="it runs, and reads every shard, if there is one in Lambda's place",
        checks=(check_consumer, check_leases),
    ),
    Link(
        name="consumer's roles", promise="it may do all it has to, if it is a container", checks=(check_consumer_roles,)
    ),
    Link(
        name="notifications",
        promise="they are projected, if the stack takes any",
        checks=(check_subscription, check_notification_mapping),
    ),
    Link(name="projector", promise="it runs, on what the stack made", checks=(check_projector,)),
    Link(name="projector's role", promise="it may do all it has to", checks=(check_projector_role,)),
    Link(
        name="table",
        promise="the live one is there and protected",
        checks=(check_parameter, check_tables, check_backups, check_policy),
    ),
    Link(name="SES's own list", promise="the table knows what stands there", checks=(check_own_list,)),
    Link(
        name="set aside",
        promise="quarantine, errors and dead letters are empty",
        checks=(check_quarantine, check_given_up, check_errors, check_dead_letters),
    ),
    Link(name="alarms", promise="none rings, and somebody would hear it", checks=(check_alarms, check_listeners)),
    Link(name="silence", promise="where mail was sent, events came", checks=(check_mail, check_feedback)),
)


def examine(deployment: Deployment, links: tuple[Link, ...] = LINKS) -> Iterator[Examined]:
    """Look at each link in turn; what cannot be looked at is a finding too, and stops nothing."""
    for link in links:
        found = tuple(finding for check in link.checks for finding in _looked(deployment, link, check))
        yield Examined(link=link.name, findings=found or (good(link.promise),))


def _looked(deployment: Deployment, link: Link, check: Check) -> list[Finding]:
    found: list[Finding] = []
    try:
        with asking(f"looking at {link.name}"):
            found.extend(check(deployment))
    except MailfoldError as error:
        found.append(unknown("not_looked_at", str(error)))
    # An answer that is not as documented, most often an emulator's, must not keep the other checks from looking.
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        words = f"an answer of AWS is not as its documentation has it ({type(error).__name__} in {check.__name__})"
        found.append(unknown("not_understood", words))
    return found

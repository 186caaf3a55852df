"""The deployed roles: each can do all that is done in its name, and has no permission that nothing needs.

The emulator asks what a role may do wherever somebody calls with the role's credentials, as the Lambdas do. Its
services do not ask for what they do themselves: Firehose's delivery, Lambda's reading of stream and queue, its writing
of logs. So those calls are made here, one by one, by a user who may do what the role may.
"""

import json
from collections.abc import Iterable
from functools import partial
from typing import Any

import msgspec
import pytest
from botocore.exceptions import ClientError

from pipeline.aws.deployment.bundle import Bundle
from tests.acceptance.deployment.account import Account
from tests.acceptance.deployment.deployment import Deployment, deploy
from tests.acceptance.deployment.permission import Permission, granted, is_denied, without
from tests.acceptance.deployment.use import USES, Clients, use
from tests.support.builders import a_bounce
from tests.support.lambda_events import a_kinesis_event, an_sqs_event

pytestmark = pytest.mark.slow

# AWS asks for a table of Glue at its catalogue, its database and itself; the emulator at its database alone.
# docs.aws.amazon.com/glue/latest/dg/glue-specifying-resource-arns.html
NOT_ASKED_FOR = (":catalog", ":table/roles/events")

# What the projector gets that it cannot do without each permission.
NEEDED = {
    "ssm:GetParameter": a_kinesis_event(a_bounce(recipients=["ann@roles.example"])),
    "dynamodb:BatchGetItem": a_kinesis_event(a_bounce(recipients=["bob@roles.example"])),
    "dynamodb:PutItem": a_kinesis_event(a_bounce(recipients=["cid@roles.example"])),
    "s3:PutObject": a_kinesis_event(b"poison of a test of roles"),
    "firehose:PutRecordBatch": an_sqs_event(a_bounce(recipients=["dan@roles.example"])),
}


@pytest.fixture(scope="module")
def roles(account: Account, bundle: Bundle, topic: str) -> Deployment:
    """A deployment of everything that the template has roles for."""
    everything = {"NotificationTopic": topic, "SourceBackup": "true"}
    return deploy(account, name="roles", bundle=bundle, parameters=everything)


@pytest.mark.parametrize("output", USES)
def test_what_is_done_in_its_name_is_allowed_and_it_needs_all_that_is(roles: Deployment, output: str) -> None:
    account, allowed = roles.account, granted(roles.account, roles[output])
    client = partial(account.client, credentials=account.user(output, []))

    def refused(permissions: Iterable[Permission], actions: Iterable[str]) -> set[str]:
        account.allow(output, [as_it_reads(each).statement() for each in permissions])
        return denied(roles, output, actions, client)

    assert {each.action for each in allowed} == USES[output].keys()
    assert refused(allowed, USES[output]) == set()
    needless = {one for one in allowed if not refused((each for each in allowed if each != one), [one.action])}
    assert needless == {one for one in allowed if one.resource.endswith(NOT_ASKED_FOR)}


@pytest.mark.parametrize("action", NEEDED)
def test_the_projector_acts_as_its_role_and_what_that_is_denied_is_not_done(roles: Deployment, action: str) -> None:
    event = NEEDED[action]
    start_anew(roles)
    with without(roles.account, roles["ProjectorRoleArn"], action):
        assert len(unfinished(roles, event)) == 1
    assert unfinished(roles, event) == []


def denied(deployment: Deployment, output: str, actions: Iterable[str], client: Clients) -> set[str]:
    """Return those of the actions that are denied where a role does them."""
    found = set()
    for action in actions:
        for arguments in USES[output][action]:
            try:
                use(deployment, action, arguments, client=client)
            except ClientError as error:
                if is_denied(error):
                    found.add(action)
    return found


def as_it_reads(permission: Permission) -> Permission:
    """Return a permission as the emulator reads it: a log group's ARN ends in `:*` at AWS, and not there."""
    if permission.action.startswith("logs:"):
        return msgspec.structs.replace(permission, resource=permission.resource.removesuffix(":*"))
    return permission


def start_anew(deployment: Deployment) -> None:
    """Let the next call of the projector find nothing that an earlier one remembered: so does any change of it."""
    deployment.client("lambda").update_function_configuration(FunctionName=deployment["Projector"], Timeout=120)


def unfinished(deployment: Deployment, event: dict[str, Any]) -> list[Any]:
    """Call the deployed projector, and return what it did not do."""
    answer = deployment.client("lambda").invoke(FunctionName=deployment["Projector"], Payload=json.dumps(event))
    failures: list[Any] = json.loads(answer["Payload"].read())["batchItemFailures"]
    return failures

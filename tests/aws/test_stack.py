"""A deployment is found by its stack's name, and a parameter beside the stack names its tables."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from pipeline.aws.dynamodb import table_definition
from pipeline.aws.stack import (
    Stack,
    SuppressionTables,
    create_tables,
    deployed_stack,
    find_stack,
    format_tables,
    missing_tables,
    parse_tables,
    read_tables,
    tables_of,
)
from pipeline.aws.tables_parameter import publish_policy
from pipeline.errors import AccessDenied, InvalidInput, NotFound, ServiceUnavailable, UsageError
from pipeline.policy import Policy
from tests.support.fake_service import client

STACK_ID = "arn:aws:cloudformation:eu-west-1:123456789012:stack/mail/6b2d"
PARAMETER = "/mailfold/mail/tables"
FIRST = SuppressionTables(live="mail-suppression-1")


@pytest.fixture
def stubbed() -> Iterator[tuple[Any, Stubber]]:
    cloudformation = client("cloudformation")
    with Stubber(cloudformation) as stubber:
        yield cloudformation, stubber


def a_response(**changes: Any) -> dict[str, Any]:
    """Return a response of DescribeStacks."""
    stack = {"StackName": "mail", "StackId": STACK_ID, "StackStatus": "CREATE_COMPLETE", "CreationTime": "2026-01-01"}
    return {"Stacks": [stack | changes]}


def a_stack(**outputs: str) -> Stack:
    return Stack(name="mail", id=STACK_ID, status="CREATE_COMPLETE", parameters={}, outputs=outputs)


def test_a_stack_is_as_cloudformation_describes_it(stubbed: tuple[Any, Stubber]) -> None:
    """Region and account are in its ARN; parameters and outputs are by name."""
    cloudformation, stubber = stubbed
    outputs = [{"OutputKey": "LogBucket", "OutputValue": "mail-log"}]
    parameters = [{"ParameterKey": "StreamMode", "ParameterValue": "PROVISIONED"}]
    stubber.add_response("describe_stacks", a_response(Outputs=outputs, Parameters=parameters), {"StackName": "mail"})
    stack = find_stack(cloudformation, name="mail")
    assert stack is not None
    assert (stack.region, stack.account_id) == ("eu-west-1", "123456789012")
    assert (stack.output("LogBucket"), stack.parameters) == ("mail-log", {"StreamMode": "PROVISIONED"})


def test_a_missing_output_names_the_remedy() -> None:
    """The message holds the command that updates the stack, region included."""
    with pytest.raises(UsageError, match="mailfold deploy --stack mail --region eu-west-1`"):
        a_stack().output("LogBucket")


def test_a_stack_that_does_not_exist_is_none(stubbed: tuple[Any, Stubber]) -> None:
    """CloudFormation's code for it is ValidationError. Where a stack is required, the message names the region."""
    cloudformation, stubber = stubbed
    for _ in range(2):
        stubber.add_client_error("describe_stacks", "ValidationError", "Stack with id mail does not exist", 400)
    assert find_stack(cloudformation, name="mail") is None
    with pytest.raises(NotFound, match="no stack mail in eu-west-1"):
        deployed_stack(cloudformation, name="mail")


def test_a_deleted_stack_is_none(stubbed: tuple[Any, Stubber]) -> None:
    """CloudFormation describes a stack for 90 days after its deletion."""
    cloudformation, stubber = stubbed
    stubber.add_response("describe_stacks", a_response(StackStatus="DELETE_COMPLETE"))
    assert find_stack(cloudformation, name="mail") is None


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [
        ("AccessDenied", 403, AccessDenied),
        ("ValidationException", 400, InvalidInput),
        ("Throttling", 400, ServiceUnavailable),
        ("InternalFailure", 500, ServiceUnavailable),
    ],
)
def test_an_error_of_cloudformation_is_translated(
    stubbed: tuple[Any, Stubber], code: str, status: int, error: type[Exception]
) -> None:
    """Its message names the stack that was read."""
    cloudformation, stubber = stubbed
    stubber.add_client_error("describe_stacks", code, "no", status)
    with pytest.raises(error, match="reading the stack mail"):
        find_stack(cloudformation, name="mail")


# The suppression tables.


@pytest.fixture
def ssm() -> Iterator[Any]:
    with mock_aws():
        yield client("ssm")


def test_the_parameter_is_created_once(ssm: Any) -> None:
    """An existing parameter is not changed: a rebuild may have named another table."""
    assert read_tables(ssm, parameter=PARAMETER) is None
    assert create_tables(ssm, parameter=PARAMETER, tables=FIRST)
    ssm.put_parameter(
        Name=PARAMETER, Value='{"live":"mail-suppression-2","shadow_tables":["mail-suppression-1"]}', Overwrite=True
    )
    assert not create_tables(ssm, parameter=PARAMETER, tables=FIRST)
    assert read_tables(ssm, parameter=PARAMETER) == SuppressionTables(
        live="mail-suppression-2", shadow_tables=("mail-suppression-1",)
    )


def test_without_the_parameter_the_stacks_table_is_live(ssm: Any) -> None:
    """The parameter replaces the table of the stack's outputs."""
    stack = a_stack(TablesParameter=PARAMETER, SuppressionTable="mail-suppression-0")
    assert tables_of(ssm, stack) == SuppressionTables(live="mail-suppression-0")
    create_tables(ssm, parameter=PARAMETER, tables=FIRST)
    assert tables_of(ssm, stack) == SuppressionTables(live="mail-suppression-1")


def test_a_policy_is_published_beside_the_tables(ssm: Any) -> None:
    """The tables stay as a rebuild named them, and a policy is only replaced by one of a greater version."""
    tables = SuppressionTables(live="mail-suppression-2", shadow_tables=("mail-suppression-1",))
    create_tables(ssm, parameter=PARAMETER, tables=tables)
    for version in (2, 2, 5):
        policy = Policy(version=version, hard=None)
        assert publish_policy(ssm, parameter=PARAMETER, policy=policy)
        assert read_tables(ssm, parameter=PARAMETER) == msgspec.structs.replace(tables, policy=policy)


@pytest.mark.parametrize("policy", [Policy(version=4), Policy(version=5)], ids=["older", "another of the same version"])
def test_a_published_policy_is_never_replaced_by_an_older_one(ssm: Any, policy: Policy) -> None:
    """Projectors would stop at the items of the newer one."""
    create_tables(ssm, parameter=PARAMETER, tables=msgspec.structs.replace(FIRST, policy=Policy(version=5, hard=None)))
    with pytest.raises(UsageError, match="policy of version 5 is in force"):
        publish_policy(ssm, parameter=PARAMETER, policy=policy)


def test_a_policy_is_not_published_before_the_parameter_exists(ssm: Any) -> None:
    """A parameter without a live table would be invalid."""
    assert not publish_policy(ssm, parameter=PARAMETER, policy=Policy(version=2))
    assert read_tables(ssm, parameter=PARAMETER) is None


def test_a_change_at_the_same_time_is_reported(ssm: Any) -> None:
    """SSM has no conditional write, but it counts versions."""
    create_tables(ssm, parameter=PARAMETER, tables=FIRST)
    hooks, rebuilds = ssm.meta.events, iter([FIRST])

    def interfere(**_: Any) -> None:
        for tables in rebuilds:
            ssm.put_parameter(Name=PARAMETER, Value=format_tables(tables), Type="String", Overwrite=True)

    hooks.register("before-call.ssm.PutParameter", interfere)
    with pytest.raises(UsageError, match="changed at the same time"):
        publish_policy(ssm, parameter=PARAMETER, policy=Policy(version=2))


@pytest.mark.parametrize(("own", "published", "expected"), [(1, 2, 2), (3, 2, 3), (2, None, 2)])
def test_the_newest_policy_is_in_force(own: int, published: int | None, expected: int) -> None:
    """A rolled-back process uses the published one, and one that is deployed first its own."""
    tables = SuppressionTables(live="a", policy=Policy(version=published) if published else None)
    assert tables.newest_policy(Policy(version=own)).version == expected


@pytest.mark.parametrize(
    "text",
    ["", "mail-suppression-1", "{}", '{"live":""}', '{"live":"a","shadow_tables":["a"]}', '{"live":"a","alos":[]}'],
)
def test_an_invalid_parameter_is_an_error(text: str) -> None:
    """A guess at the live table would lose feedback."""
    with pytest.raises(UsageError, match="parameter of the live table is invalid"):
        parse_tables(text)


def test_a_throttled_parameter_is_unavailable(ssm: Any) -> None:
    """Reading and creating the parameter may be tried again."""
    with Stubber(ssm) as stubber:
        for operation in ("get_parameter", "put_parameter"):
            stubber.add_client_error(operation, "ThrottlingException", "slow", 400)
        with pytest.raises(ServiceUnavailable):
            read_tables(ssm, parameter=PARAMETER)
        with pytest.raises(ServiceUnavailable):
            create_tables(ssm, parameter=PARAMETER, tables=FIRST)


def test_missing_tables_are_named(ssm: Any) -> None:
    """Live table and shadow tables are looked for."""
    dynamodb = client("dynamodb")
    dynamodb.create_table(**table_definition("mail-suppression-1"))
    tables = SuppressionTables(live="mail-suppression-1", shadow_tables=("mail-suppression-2",))
    assert missing_tables(dynamodb, tables) == ("mail-suppression-2",)


def test_no_policy_is_published_during_a_rebuild_under_another(ssm: Any) -> None:
    """Each of both tables keeps its own policy until the rebuild is over, so that a projector can write both."""
    tables = SuppressionTables(live="a", shadow_tables=("b",), policy=Policy(version=2), shadow_policy=Policy())
    create_tables(ssm, parameter=PARAMETER, tables=tables)

    with pytest.raises(UsageError, match="a rebuild under another policy is not over"):
        publish_policy(ssm, parameter=PARAMETER, policy=Policy(version=3))
    assert publish_policy(ssm, parameter=PARAMETER, policy=Policy(version=2))
    assert read_tables(ssm, parameter=PARAMETER) == tables

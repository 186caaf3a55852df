"""`mailfold deploy` on the emulator: it creates and updates stacks, and keeps the operator's settings."""

import json
from typing import Any

import pytest

from pipeline.aws.deployment.bundle import Bundle
from pipeline.aws.dynamodb import ensure_table
from pipeline.aws.stack import SuppressionTables, deployed_stack, read_tables
from tests.acceptance.deployment.account import Account
from tests.acceptance.deployment.deployment import WITHOUT_METRIC_MATH, deploy
from tests.support.command import run_ok
from tests.support.wheels import from_folder

pytestmark = pytest.mark.slow


def deployed(stack: str, **parameters: str) -> Any:
    """Run the command, and return its JSON."""
    options = [option for name, value in parameters.items() for option in ("--param", f"{name}={value}")]
    lines = run_ok("deploy", "--stack", stack, *options, "--no-views", "--yes", "--json").splitlines()
    return json.loads(lines[-1])


def test_the_command_creates_a_stack_and_then_changes_nothing(account: Account, operator: None) -> None:
    """The bundle is the one for AWS's processor, which does not run here."""
    with from_folder():
        first, second = deployed("by-command", **WITHOUT_METRIC_MATH), deployed("by-command")
    stack = deployed_stack(account.client("cloudformation"), name="by-command")
    assert first == second
    assert (first["status"], first["outputs"]) == ("CREATE_COMPLETE", stack.outputs)


def test_parameters_that_are_not_given_keep_their_values(account: Account, bundle: Bundle) -> None:
    """An update changes only the given parameter, and no output."""
    before = deploy(account, name="updated", bundle=bundle, parameters={"StreamRetentionDays": "3"})
    after = deploy(account, name="updated", bundle=bundle, parameters={"LogBufferSeconds": "60"})
    assert after.stack.status == "UPDATE_COMPLETE"
    changed = {name: value for name, value in after.stack.parameters.items() if before.stack.parameters[name] != value}
    assert changed == {"LogBufferSeconds": "60"}
    assert after.stack.outputs == before.stack.outputs


def test_an_update_keeps_the_live_table_of_a_rebuild(account: Account, bundle: Bundle) -> None:
    """The parameter of the live table is not reset."""
    deployment = deploy(account, name="rebuilt", bundle=bundle)
    ssm, parameter = account.client("ssm"), deployment["TablesParameter"]
    assert read_tables(ssm, parameter=parameter) == SuppressionTables(live=deployment["SuppressionTable"])
    live = SuppressionTables(live="rebuilt-suppression-2")
    ensure_table(account.client("dynamodb"), live.live)
    ssm.put_parameter(Name=parameter, Value=json.dumps({"live": live.live}), Overwrite=True)
    deploy(account, name="rebuilt", bundle=bundle, parameters={"LogBufferSeconds": "60"})
    assert read_tables(ssm, parameter=parameter) == live


def test_a_stack_has_termination_protection(account: Account, bundle: Bundle) -> None:
    """A deployed stack is protected from deletion."""
    deploy(account, name="kept", bundle=bundle)
    [stack] = account.client("cloudformation").describe_stacks(StackName="kept")["Stacks"]
    assert stack["EnableTerminationProtection"]

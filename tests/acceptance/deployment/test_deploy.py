"""`mailfold deploy` on the emulator: it creates and updates stacks, and keeps the operator's settings."""

import json
from typing import Any

import pytest

from pipeline.aws.deployment.bundle import Bundle
from pipeline.aws.dynamodb import ensure_table
from pipeline.aws.stack import SuppressionTables, deployed_stack, read_tables
from tests.acceptance.deployment.account import Account
from tests.acceptance.deployment.deployment import SILENCE, deploy
from tests.support.command import good
from tests.support.wheels import from_folder

pytestmark = pytest.mark.slow


def deployed(stack: str, **parameters: str) -> Any:
    """Run the command, and return its JSON."""
    options = [option for name, value in parameters.items() for option in ("--param", f"{name}={value}")]
    lines = good("deploy", "--stack", stack, *options, "--no-views", "--yes", "--json").splitlines()
    return json.loads(lines[-1])


def test_the_command_makes_a_stack_and_the_second_time_changes_nothing(account: Account, operator: None) -> None:
    """With the bundle for AWS's processors: nothing of it runs here."""
    with from_folder():
        first, second = deployed("by-command", **SILENCE), deployed("by-command")
    stack = deployed_stack(account.client("cloudformation"), name="by-command")
    assert first == second
    assert (first["status"], first["outputs"]) == ("CREATE_COMPLETE", stack.outputs)


def test_what_is_not_given_stays_as_it_is(account: Account, bundle: Bundle) -> None:
    before = deploy(account, name="updated", bundle=bundle, parameters={"StreamRetentionDays": "3"})
    after = deploy(account, name="updated", bundle=bundle, parameters={"LogBufferSeconds": "60"})
    assert after.stack.status == "UPDATE_COMPLETE"
    changed = {name: value for name, value in after.stack.parameters.items() if before.stack.parameters[name] != value}
    assert changed == {"LogBufferSeconds": "60"}
    assert after.stack.outputs == before.stack.outputs


def test_an_update_leaves_the_live_table_as_a_rebuild_made_it(account: Account, bundle: Bundle) -> None:
    deployment = deploy(account, name="rebuilt", bundle=bundle)
    ssm, parameter = account.client("ssm"), deployment["TablesParameter"]
    assert read_tables(ssm, parameter=parameter) == SuppressionTables(live=deployment["SuppressionTable"])
    live = SuppressionTables(live="rebuilt-suppression-2")
    ensure_table(account.client("dynamodb"), live.live)
    ssm.put_parameter(Name=parameter, Value=json.dumps({"live": live.live}), Overwrite=True)
    deploy(account, name="rebuilt", bundle=bundle, parameters={"LogBufferSeconds": "60"})
    assert read_tables(ssm, parameter=parameter) == live


def test_a_stack_is_kept_from_being_deleted_by_mistake(account: Account, bundle: Bundle) -> None:
    deploy(account, name="kept", bundle=bundle)
    [stack] = account.client("cloudformation").describe_stacks(StackName="kept")["Stacks"]
    assert stack["EnableTerminationProtection"]

"""`mailfold deploy` on the emulator: rules for roles and tags, and the log of an earlier stack of the same name."""

from typing import Any

import pytest

from pipeline.aws.deployment.bundle import Bundle
from tests.acceptance.deployment.account import Account
from tests.acceptance.deployment.deployment import WITHOUT_METRIC_MATH, deploy
from tests.support.command import ROOT, run, run_ok
from tests.support.wheels import from_folder

FITTING = [part for name, value in WITHOUT_METRIC_MATH.items() for part in ("--param", f"{name}={value}")]

pytestmark = pytest.mark.slow

BOUNCE = str(ROOT / "schemas/wire/examples/v1.bounce-permanent-general.pass.json")


def test_roles_have_their_path_and_the_stack_has_tags(account: Account, operator: None) -> None:
    """A second deployment without these options keeps them. The emulator knows no permissions boundaries."""
    options = ["--param", "RolePath=/team/mail/", *FITTING, "--tag", "team=mail"]
    with from_folder():
        run_ok("deploy", "--stack", "managed", *options, "--no-views", "--yes")
        run_ok("deploy", "--stack", "managed", "--param", "LogBufferSeconds=60", "--no-views", "--yes")
    roles = account.client("iam").list_roles(PathPrefix="/team/mail/")["Roles"]
    assert len(roles) == 6
    assert {role["Path"] for role in roles} == {"/team/mail/"}
    [stack] = account.client("cloudformation").describe_stacks(StackName="managed")["Stacks"]
    assert {"Key": "team", "Value": "mail"} in stack["Tags"]


def test_a_stack_of_the_same_name_adopts_the_kept_log(account: Account, bundle: Bundle, operator: None) -> None:
    """After `destroy`, `deploy` names the command that brings the kept events into the new log."""
    first = deploy(account, name="again", bundle=bundle)
    run_ok("ingest", BOUNCE, "--stack", "again")
    kept = first["LogBucket"]
    run_ok("destroy", "--stack", "again", "--confirm", "again")
    with from_folder():
        result: Any = run("deploy", "--stack", "again", *FITTING, "--no-views", "--yes")
    assert result.exit_code == 0, result.output
    [line] = [line for line in result.stderr.splitlines() if "adopt the log" in line]
    command = line.partition("mailfold ")[2].split()
    assert command[:2] == ["ingest", f"s3://{kept}/events/"]
    run_ok(*command)
    again = deploy(account, name="again", bundle=bundle)
    assert again["LogBucket"] != kept
    assert len(again.rows()) == 1

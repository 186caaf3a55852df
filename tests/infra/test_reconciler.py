"""The reconciler is called on a schedule, by its rules alone, and writes what it heals and proves."""

import json

import pytest

from pipeline.aws.lambdas.reconciler import Task
from tests.infra.test_permission import TABLES, resources
from tests.support.cloudformation import stack

RULES = {
    "ReconcileRule": ("ReconcileSchedule", "ReconcilePermission"),
    "DrillRule": ("DrillSchedule", "DrillPermission"),
}


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_calls_the_reconciler_with_a_task(rule: str) -> None:
    """On the schedule of its parameter, and only this rule may."""
    parameter, permission = RULES[rule]
    created = stack(**{parameter: "cron(17 3 * * ? *)"})
    properties = created.properties(rule)
    [target] = properties["Targets"]
    task = json.loads(target["Input"])

    assert properties["ScheduleExpression"] == "cron(17 3 * * ? *)"
    assert target["Arn"] == created.properties(permission)["FunctionName"] == "{Reconciler.Arn}"
    assert created.properties(permission)["SourceArn"] == f"{{{rule}.Arn}}"
    assert task["action"] in parameter.lower()
    assert task.keys() == set(Task.__struct_fields__) - {"output_location"}


def test_a_schedule_can_be_off() -> None:
    """Without both, there is no function, role or alarm of it."""
    without = stack(ReconcileSchedule="off", DrillSchedule="off")
    assert not [name for name in without.resources if "Reconcil" in name or "Drill" in name]
    drills = stack(ReconcileSchedule="off")
    assert "ReconcileRule" not in drills.resources
    assert "Reconciler" in drills.resources


def test_the_reconciler_writes_its_result_and_no_log() -> None:
    """It heals tables, and reads the log alone."""
    assert resources("ReconcilerRole", "s3:PutObject") == {"{LogBucket.Arn}/proofs/drill.json"}
    assert resources("ReconcilerRole", "dynamodb:PutItem") == {TABLES}
    assert not resources("ReconcilerRole", "dynamodb:DeleteItem")

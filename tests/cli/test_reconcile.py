"""`mailfold reconcile` and `mailfold drill` on a deployment: options, SES's lists, surges, metrics and errors."""

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest

from pipeline.aws import clients
from pipeline.cli import reconcile as command
from pipeline.cli.failures import exit_code
from pipeline.errors import AccessDenied, ArchiveUnavailable, QueryFailed, StoreUnavailable
from pipeline.reconcile import ReconcileResult
from pipeline.surge import Surge
from tests.support.builders import SENT_AT
from tests.support.command import json_lines, run, run_failing, run_ok
from tests.support.deployed import NAME, deployed, items, put_behind
from tests.support.fake_account_list import FakeAccountList

STACK = ("--stack", NAME)


@pytest.fixture
def asking(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeAccountList]:
    """A deployment whose SES lists entries of the account and of tenants, and whose log is empty."""
    monkeypatch.setattr(clients, "SES_SECONDS", 0.0)
    with deployed(monkeypatch):
        tenants = {"acme": {"ann@example.com": "COMPLAINT"}, "best": None}
        fake = FakeAccountList({"ann@example.com": "BOUNCE", "no address": "BOUNCE"}, page_size=1, tenants=tenants)
        put_behind(monkeypatch, sesv2=fake.client())
        yield fake


def test_a_deployments_lists_are_read_at_seses_rate(asking: FakeAccountList, monkeypatch: pytest.MonkeyPatch) -> None:
    """The account's and each tenant's own; an entry that is no address is counted apart."""
    limited: list[Any] = []
    monkeypatch.setattr("pipeline.cli.ses_lists.limit_rate", limited.append)
    monkeypatch.setattr(command, "surges_since", lambda *_, **__: [])

    [found] = json_lines("reconcile", "--with-ses", "--json", *STACK)

    assert found["ses"] == {
        "entries": 3,
        "unusable": 1,
        "own_lists": 1,
        "listed": {"unexplained": 2},
        "suppressed": {},
    }
    assert len(limited) == 1
    assert "3 entries of SES's suppression lists, 1 tenant with a list of its own, 1 not an address" in run_ok(
        "reconcile", "--with-ses", *STACK
    )


A_SURGE = Surge(hour=SENT_AT, domain="example.com", bounces=900, sends=1_000, statuses={"5.1.1": 890, "": 10})
COMMAND = (
    "mailfold revert --since 2026-03-01T12:00:00Z --until 2026-03-01T13:00:00Z --domain example.com --status 5.1.1 "
    f"--stack {NAME} --region eu-west-1"
)


def test_a_surge_is_named_with_the_command_that_reverts_it(
    asking: FakeAccountList, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Domain, hour, share, number and statuses."""
    monkeypatch.setattr(command, "surges_since", lambda *_, **__: [A_SURGE])
    lines = run_ok("reconcile", *STACK).splitlines()
    [found] = json_lines("reconcile", "--json", *STACK)

    assert lines[-2:] == [
        (
            "example.com bounced 900 of 1,000 mails (90%) from 2026-03-01T12:00:00.000Z to 2026-03-01T13:00:00.000Z: "
            "5.1.1 890 times, no status 10 times"
        ),
        f"  if they are false: {COMMAND}",
    ]
    assert (found["surges"][0]["command"], found["surges"][0]["share"]) == (COMMAND, 0.9)


@pytest.mark.parametrize("error", [QueryFailed("Athena rejects it"), AccessDenied("no StartQueryExecution")])
def test_without_athena_the_table_is_healed_all_the_same(
    error: Exception, asking: FakeAccountList, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And it is said that surges were not searched for."""

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(command, "surges_since", fail)
    result = run("reconcile", "--json", *STACK)

    assert result.exit_code == 0
    assert f"surges of bounces were not searched for: {error}" in result.stderr
    assert '"surges":null' in result.stdout


def test_the_counts_are_published_on_request(asking: FakeAccountList, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the namespace and the dimension that the alarms watch."""
    monkeypatch.setattr(command, "surges_since", lambda *_, **__: [A_SURGE])
    cloudwatch = boto3.client("cloudwatch")
    run_ok("reconcile", *STACK)
    assert cloudwatch.list_metrics(Namespace="Mailfold")["Metrics"] == []

    run_ok("reconcile", "--publish", *STACK)
    run_ok("drill", "--publish", *STACK)

    metrics = cloudwatch.list_metrics(Namespace="Mailfold")["Metrics"]
    assert {"MissingItems", "StaleItems", "HealedItems", "BounceSurges", "DaysSinceProved"} <= {
        metric["MetricName"] for metric in metrics
    }
    assert {dimension["Value"] for metric in metrics for dimension in metric["Dimensions"]} == {f"{NAME}-reconciler"}
    assert items() == []


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--since", "2999-01-01"), "--since is later than the last hour that is compared"),
        (("--since", "yesterday"), "not a date or a time: 'yesterday'"),
    ],
)
def test_a_wrong_option_is_one_sentence(arguments: tuple[str, ...], sentence: str, asking: FakeAccountList) -> None:
    """And nothing is read."""
    assert run_failing("reconcile", *arguments, *STACK).startswith(sentence)


def test_adopting_needs_the_delivery_stream(asking: FakeAccountList, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that knows table and bucket alone cannot write into the log."""
    monkeypatch.setenv("MAILFOLD_TABLE", "suppression")
    monkeypatch.setenv("MAILFOLD_BUCKET", "mailfold-log")

    assert "MAILFOLD_DELIVERY_STREAM" in run_failing("reconcile", "--adopt")


@pytest.mark.parametrize(
    ("error", "compared", "is_said"),
    [
        (KeyboardInterrupt(), 2_000, True),
        (StoreUnavailable("slow"), 2_000, True),
        (ArchiveUnavailable("slow"), 0, False),
    ],
    ids=["interrupted", "outage", "outage at once"],
)
def test_a_run_that_stops_says_how_far_it_got(
    error: BaseException, compared: int, is_said: bool, asking: FakeAccountList, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was healed stays."""

    def fail(*_: object, progress: Callable[[ReconcileResult], None], **__: object) -> None:
        progress(ReconcileResult(compared=compared, healed=3))
        raise error

    monkeypatch.setattr(command, "reconcile", fail)
    result = run("reconcile", "--heal", *STACK)

    assert ("stopped after 2,000 addresses, 3 healed: it can be repeated" in result.stderr) == is_said
    assert (result.stdout, result.exit_code) == ("", exit_code(error))


def test_an_item_that_the_table_rejects_is_an_error(asking: FakeAccountList, monkeypatch: pytest.MonkeyPatch) -> None:
    """All others are healed."""
    monkeypatch.setattr(command, "surges_since", lambda *_, **__: [])
    rejected = ReconcileResult(compared=2, missing=2, healed=1, rejected=1, shadow_healed=1)
    monkeypatch.setattr(command, "reconcile", lambda *_, **__: rejected)
    result = run("reconcile", "--heal", *STACK)

    assert "1 healed in tables that are rebuilt" in result.stdout
    assert result.stderr.splitlines()[-1] == "mailfold: the table rejects 1 item: they are not healed"
    assert result.exit_code == 1

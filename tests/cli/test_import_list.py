"""`mailfold import` imports the entries of SES's suppression list that the table does not suppress."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import boto3
import pytest

from pipeline.aws import clients
from tests.support.builders import OCCURRED_AT
from tests.support.cloud_process import CloudProcess, found_client
from tests.support.command import json_lines, run, run_failing, run_ok
from tests.support.deployed import NAME, TABLE, deployed, items, objects, put_behind
from tests.support.fake_account_list import FakeAccountList

STACK = ("--stack", NAME)
LIST = {"ann@example.com": "BOUNCE", "Bob@example.com": "COMPLAINT", "cy@example.com": "BOUNCE"}
STATUSES = (
    "3 imported, 0 suppressed permanently already, 0 released since by an operator, 0 not an address, "
    "0 of a person who was erased"
)
NO_ENTRIES = {"missing": 0, "suppressed": 0, "released": 0, "unusable": 0, "erased": 0}


@pytest.fixture
def people() -> Iterator[str]:
    """Addresses that no other test uses."""
    label = uuid4().hex[:8]
    return (f"{name}.{label}@example.com" for name in ("Ann", "Bob", "Cy", "Dee"))


@pytest.fixture
def ses(cloud: CloudProcess) -> Iterator[Any]:
    """The local SES, after all its mail has arrived. Its list is restored at the end of the test."""
    cloud.settle()
    client = found_client("sesv2")
    before = _addresses(client)
    yield client
    for address in _addresses(client) - before:
        client.delete_suppressed_destination(EmailAddress=address)
    client.close()


def _addresses(client: Any) -> set[str]:
    return {entry["EmailAddress"] for entry in client.list_suppressed_destinations()["SuppressedDestinationSummaries"]}


def test_an_import_suppresses_the_listed_and_survives_a_replay(
    cloud: CloudProcess, ses: Any, people: Iterator[str]
) -> None:
    """Addresses on SES's list are suppressed after an import, and a replay of the log yields the same table."""
    bounced, complained = next(people), next(people)
    json_lines("import", "--json")  # what other tests left on the list
    assert not any(answer["suppressed"] for answer in json_lines("lookup", "--json", bounced, complained))
    ses.put_suppressed_destination(EmailAddress=bounced, Reason="BOUNCE")
    ses.put_suppressed_destination(EmailAddress=complained, Reason="COMPLAINT")
    [counts] = json_lines("import", "--json")
    assert (counts["statuses"]["missing"], counts["written"], counts["dry_run"]) == (2, 2, False)
    answers = json_lines("lookup", "--json", bounced, complained)
    assert [(answer["suppressed"], answer["reason"], answer["until"]) for answer in answers] == [
        (True, "operator", None)
    ] * 2
    [fact] = answers[0]["facts"]
    assert (fact["fact"], fact["scope"], fact["spelling"]) == ("suppress", "*", bounced)

    into = f"rebuilt-{uuid4().hex[:8]}"
    [live], [rebuilt] = json_lines("replay", "--json"), json_lines("replay", "--json", "--into", into)
    assert live["digest"] == rebuilt["digest"]


def test_a_second_import_changes_nothing(cloud: CloudProcess, ses: Any, people: Iterator[str]) -> None:
    """A second import finds everything suppressed and writes nothing."""
    ses.put_suppressed_destination(EmailAddress=next(people), Reason="BOUNCE")
    json_lines("import", "--json")
    [before] = json_lines("replay", "--json")
    [counts] = json_lines("import", "--json")
    [after] = json_lines("replay", "--json")
    assert (counts["statuses"]["missing"], counts["written"]) == (0, 0)
    assert counts["statuses"]["suppressed"] >= 1
    assert after == before


def test_mail_that_bounced_here_needs_no_import(cloud: CloudProcess, ses: Any, people: Iterator[str]) -> None:
    """Mail that bounced is on SES's list too, but the table's better evidence remains the reason."""
    address = f"bounce+{next(people)}".lower()
    run_ok("send", "--to", address)
    cloud.settle()
    assert address in _addresses(ses)
    [counts] = json_lines("import", "--json")
    assert counts["statuses"]["missing"] == 0
    assert [answer["reason"] for answer in json_lines("lookup", "--json", address)] == ["hard"]


def test_a_dry_run_counts_and_writes_nothing(cloud: CloudProcess, ses: Any, people: Iterator[str]) -> None:
    """A dry run prints the counts and changes neither table nor log."""
    address = next(people)
    ses.put_suppressed_destination(EmailAddress=address, Reason="COMPLAINT")
    [before] = json_lines("replay", "--json")
    [counts] = json_lines("import", "--dry-run", "--reason", "complaint", "--json")
    assert (counts["statuses"]["missing"], counts["written"], counts["dry_run"]) == (1, 0, True)
    assert set(counts["listed"]) == {"complaint"}
    assert "1 would be imported" in run_ok("import", "--dry-run", "--reason", "complaint")
    assert json_lines("replay", "--json") == [before]
    assert not json_lines("lookup", "--json", address)[0]["suppressed"]


@pytest.fixture
def asking(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeAccountList]:
    """A deployment in AWS whose SES lists three entries."""
    monkeypatch.setattr(clients, "SES_SECONDS", 0.0)
    with deployed(monkeypatch):
        fake = FakeAccountList(LIST, page_size=2)
        put_behind(monkeypatch, sesv2=fake.client())
        yield fake


def test_a_deployments_list_goes_into_its_log_and_live_table(asking: FakeAccountList) -> None:
    """With --stack, the account's list goes into the stack's log and live table, once."""
    assert run_ok("import", *STACK).splitlines() == [
        "3 entries of SES's suppression lists",
        "  bounce                      2",
        "  complaint                   1",
        STATUSES,
        "3 items of the table written",
    ]
    assert items() == ["ann@example.com", "bob@example.com", "cy@example.com"]
    assert len(objects("events/dt=")) == 1
    assert "suppressed (operator) since 2026-03-01T12:00:02.000Z, permanent" in run_ok(
        "lookup", "bob@example.com", *STACK
    )

    [again] = json_lines("import", "--json", *STACK)
    assert again == {
        "listed": {"bounce": 2, "complaint": 1},
        "statuses": NO_ENTRIES | {"suppressed": 3},
        "lists": {"*": NO_ENTRIES | {"suppressed": 3}},
        "written": 0,
        "dry_run": False,
    }
    assert len(objects("events/dt=")) == 1


def test_a_shadow_table_gets_the_import_too(asking: FakeAccountList) -> None:
    """A table that is being rebuilt gets the same items as the live one."""
    rebuilt = f"{NAME}-suppression-2"
    run_ok("replay", "--into", rebuilt, *STACK)
    value = f'{{"live":"{TABLE}","shadow_tables":["{rebuilt}"]}}'
    boto3.client("ssm").put_parameter(Name=f"/mailfold/{NAME}/tables", Value=value, Type="String")
    run_ok("import", *STACK)
    assert items(rebuilt) == items() == ["ann@example.com", "bob@example.com", "cy@example.com"]


def test_ses_filters_by_reason_and_time(asking: FakeAccountList) -> None:
    """--reason and --since are passed to SES, which lists only the matching entries."""
    [counts] = json_lines("import", "--reason", "complaint", "--since", "2026-03-01", "--json", *STACK)
    assert counts["listed"] == {"complaint": 1}
    request = asking.asked("list_suppressed_destinations")
    assert request["Reasons"] == ["COMPLAINT"]
    assert request["StartDate"] == OCCURRED_AT.replace(hour=0, second=0)
    [counts] = json_lines("import", "--since", "2026-03-02", "--json", *STACK)
    assert counts["listed"] == {}


def test_no_address_is_shown(asking: FakeAccountList) -> None:
    """No output of an import contains an address."""
    for options in ((), ("--json",), ("--dry-run",)):
        assert "@" not in run("import", *options, *STACK).output


def test_ses_in_aws_is_called_once_a_second(asking: FakeAccountList, monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls of SES are limited to its rate of one a second."""
    kept: list[Any] = []
    monkeypatch.setattr("pipeline.cli.import_list.limit_rate", kept.append)
    run_ok("import", "--dry-run", *STACK)
    assert len(kept) == 1


def test_a_throttled_import_can_be_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Throttling exits with 5 and advises to try again, and a second run imports everything."""
    with deployed(monkeypatch):
        fake = FakeAccountList(LIST, refuses=["TooManyRequestsException"])
        put_behind(monkeypatch, sesv2=fake.client())
        sentence = run_failing("import", *STACK, exit_code=5)
        assert "try again later" in sentence
        assert "@" not in sentence
        assert "3 imported" in run_ok("import", *STACK)


def test_in_the_sandbox_the_message_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """In SES's sandbox there is no list, and the message explains it."""
    with deployed(monkeypatch):
        put_behind(monkeypatch, sesv2=FakeAccountList(LIST, in_sandbox=True).client())
        assert run_failing("import", *STACK).startswith("SES is in its sandbox in this region")


TENANTS = {"acme": {"ann@example.com": "COMPLAINT", "Eve@example.com": "COMPLAINT"}, "best": None, "corp": {}}


def test_tenants_lists_go_into_their_scopes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each list is counted, --tenant limits, and a second import changes nothing."""
    with deployed(monkeypatch):
        monkeypatch.setattr(clients, "SES_SECONDS", 0.0)
        put_behind(monkeypatch, sesv2=FakeAccountList({"ann@example.com": "BOUNCE"}, tenants=TENANTS).client())
        assert "  tenant acme: 2 entries, 2 would be imported" in run_ok(
            "import", "--dry-run", "--tenant", "acme", *STACK
        )
        [counts] = json_lines("import", "--json", *STACK)
        assert counts["lists"] == {
            "*": NO_ENTRIES | {"missing": 1},
            "acme": NO_ENTRIES | {"missing": 2},
        }
        [eve, ann] = json_lines("lookup", "--json", "--scope", "acme", "eve@example.com", "ann@example.com", *STACK)
        assert [reason["scope"] for reason in eve["reasons"]] == ["acme"]
        assert [reason["scope"] for reason in ann["reasons"]] == ["*", "acme"]
        assert not json_lines("lookup", "--json", "eve@example.com", *STACK)[0]["suppressed"]
        assert json_lines("import", "--json", *STACK)[0]["written"] == 0
        output = run("import", "--tenant", "none", *STACK).output
        assert "not found while reading the suppression list of the tenant none" in output


def test_an_ses_without_tenants_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """The account's list is imported."""
    with deployed(monkeypatch):
        monkeypatch.setattr(clients, "SES_SECONDS", 0.0)
        put_behind(monkeypatch, sesv2=FakeAccountList(LIST, tenants=None).client())
        output = run("import", *STACK).output
        assert "SES knows no tenants here: only the account's list was read" in output
        assert "3 imported" in output


def test_an_invalid_time_is_rejected_before_any_call(asking: FakeAccountList) -> None:
    """An invalid --since is a usage error, found before AWS is called."""
    assert run_failing("import", "--since", "yesterday", *STACK).startswith("not a date or a time: 'yesterday'")
    assert asking.calls == []

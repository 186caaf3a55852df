"""`mailfold explain` shows a support person why an address is suppressed or clear."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import boto3
import pytest
from jsonschema import Draft202012Validator

from pipeline.aws import clients
from pipeline.aws.clients import session
from pipeline.local.discovery import find
from pipeline.timestamp import format_time, from_ms, to_ms
from tests.support.builders import a_bounce, a_complaint, a_decision, a_send
from tests.support.cloud_process import CloudProcess, found_client
from tests.support.command import ROOT, json_lines, run, run_failing, run_ok
from tests.support.deployed import NAME, TABLE, deployed, put_behind
from tests.support.fake_account_list import FakeAccountList
from tests.support.fake_athena import FakeAthena

STACK = ("--stack", NAME)
SCHEMA = json.loads((ROOT / "schemas" / "explanation.json").read_text())


@pytest.fixture
def address() -> str:
    """An address that no other test uses."""
    return f"ann.{uuid4().hex[:8]}@example.com"


def ingest(*payloads: bytes) -> None:
    run_ok("ingest", "-", stdin=b"\n".join(payloads))


def bounce_of(address: str, **changes: Any) -> bytes:
    return a_bounce(recipients=(address,), messageId=uuid4().hex, feedback_id=uuid4().hex, **changes)


def explained(*arguments: str) -> Any:
    [answer] = json_lines("explain", "--json", *arguments)
    Draft202012Validator(SCHEMA).validate(answer)
    return answer


def test_a_bounced_mail_is_explained_from_send_to_list(cloud: CloudProcess) -> None:
    """The verdict, the mail, the server's words, SES's list, and that log and table agree; bytes read are printed."""
    address = f"bounce+{uuid4().hex[:8]}@example.com"
    run_ok("send", "--to", address, "--subject", "Your invoice")
    cloud.settle()
    result = run("explain", address)
    text = result.stdout
    assert text.startswith(f"{address} is suppressed: no mail may be sent to it.\n  All mail: a mail server refused ")
    lines = [line.strip() for line in text.splitlines()]
    events = [line.partition(" UTC  ")[2] for line in lines if " UTC  " in line]
    assert events == [
        "SES accepted the mail for sending.",
        "The recipient's mail server refused the mail for good. As a rule there is no such mailbox.",
    ]
    assert sum(line.startswith('mail "Your invoice" from ') for line in lines) == 2
    assert "report: Permanent/General 5.1.1 smtp; 550 5.1.1 user unknown" in lines
    assert "hard: suppresses all mail, permanently" in lines
    assert f"SES's account list has the address as {address} since " in text
    assert lines[-1] == "Log and table agree."
    assert result.stderr.endswith(" read\n")


def test_a_release_is_shown_with_author_reason_and_batch(cloud: CloudProcess, address: str) -> None:
    """The bounce says which release lifted it, and by whom."""
    release = {"author": "gerda", "reason": "customer called", "batch": "b-17"}
    decision = a_decision(action="release", address=address, at=datetime.now(UTC), decision_id=uuid4().hex, **release)
    ingest(bounce_of(address), decision)
    text = run_ok("explain", address)
    assert f"{address} is clear: what suppressed it was lifted.\n" in text
    assert "    decided by gerda: customer called, batch b-17\n" in text
    assert " UTC by gerda (event " in text


def test_as_of_a_time_the_verdict_is_that_of_then(cloud: CloudProcess, address: str) -> None:
    """Between the arrival of the bounce and that of the release it was suppressed; before both nothing was known."""
    ingest(bounce_of(address))
    [bounce] = explained(address)["events"]
    ingest(a_decision(action="release", address=address, at=datetime.now(UTC), decision_id=uuid4().hex))
    assert not explained(address)["suppressed"]
    then = explained("--as-of", bounce["arrived_at"], address)
    assert (then["suppressed"], then["is_as_of"], len(then["events"])) == (True, True, 1)
    arrived_ms = to_ms(datetime.fromisoformat(bounce["arrived_at"]))
    before = explained("--as-of", format_time(from_ms(arrived_ms - 1)), address)
    assert (before["suppressed"], before["events"]) == (False, [])


def test_every_spelling_of_an_address_is_one(cloud: CloudProcess) -> None:
    """An international domain too; the form that SES's list has is found."""
    label = uuid4().hex[:8]
    spelling = f"Zoë.{label}@Bücher.example"
    ingest(bounce_of(f"Zoë <{spelling}>"))
    ses = found_client("sesv2")
    ses.put_suppressed_destination(EmailAddress=spelling, Reason="BOUNCE")
    answers = [
        explained(text) for text in (spelling, f"<zoë.{label}@xn--bcher-kva.example>", f"mailto:{spelling.upper()}")
    ]
    ses.delete_suppressed_destination(EmailAddress=spelling)
    ses.close()
    assert {answer["address"] for answer in answers} == {f"zoë.{label}@xn--bcher-kva.example"}
    assert [answer["suppressed"] for answer in answers] == [True] * 3
    assert [[entry["address"] for entry in answer["lists"][0]["entries"]] for answer in answers] == [[spelling]] * 3


def test_a_scope_adds_the_tenants_facts_and_its_list(cloud: CloudProcess, address: str) -> None:
    """A tenant without a list of its own is said to have none."""
    ingest(
        a_complaint(
            recipients=(address,), messageId=uuid4().hex, tags={"ses:tenant-name": ["acme"]}, destination=[address]
        )
    )
    run_ok("send", "--to", "success@example.com", "--tenant", "acme")
    assert not explained(address)["suppressed"]
    text = run_ok("explain", "--scope", "acme", address)
    assert f"{address} is suppressed: only essential mail may be sent to it." in text
    assert "SES's list of the tenant acme was not read: the tenant has no list of its own.\n" in text


def test_days_bound_the_log_that_is_read(cloud: CloudProcess, address: str) -> None:
    """The answer says that it read some days only, and does not call what lies on the others lost."""
    ingest(bounce_of(address))
    partly = explained("--since", "2026-03-02", address)
    assert (partly["log_is_whole"], partly["differences"], partly["suppressed"]) == (False, [], True)
    assert [event["kind"] for event in partly["events"]] == [""]
    whole = explained("--since", "2026-03-01", "--until", "2026-03-01", address)
    assert [event["kind"] for event in whole["events"]] == ["bounce"]


def test_a_difference_of_log_and_table_is_said(cloud: CloudProcess, address: str) -> None:
    """An item that was lost is healed by the command that the answer names."""
    ingest(bounce_of(address))
    dynamodb, environment = found_client("dynamodb"), find()
    assert environment
    key = {"address": {"S": address}, "scope": {"S": "*"}}
    dynamodb.delete_item(TableName=environment["MAILFOLD_TABLE"], Key=key)
    dynamodb.close()
    text = run_ok("explain", address)
    run_ok("reconcile", "--heal", "--since", "2026-03-01", "--grace", "0")
    assert "hard: does not count yet: the table does not have it\n" in text
    assert "The table lacks what the log has: hard. " in text
    assert "`mailfold reconcile --heal --since 2026-03-01`" in text
    assert "Log and table agree." in run_ok("explain", address)


def test_texts_of_strangers_are_made_printable(cloud: CloudProcess, address: str) -> None:
    """A subject, a diagnostic and a reason cannot control the terminal; JSON escapes them."""
    headers = {"commonHeaders": {"subject": "\x1b]0;owned\x07 \u202etxt"}}
    ingest(bounce_of(address, person={"diagnosticCode": "550 \x1b[2J"}, **headers))
    for text in (run_ok("explain", address), run_ok("explain", "--json", address)):
        assert "owned" in text
        assert all(character.isprintable() or character == "\n" for character in text)


def test_an_unknown_address_is_unknown_to_the_log(cloud: CloudProcess, address: str) -> None:
    """It is clear, and that is no guess: the log was read."""
    lines = run_ok("explain", address).splitlines()
    assert lines[0] == f"{address} is clear: nothing is known about it."
    assert "The log knows nothing about the address." in lines


def test_the_simulator_is_explained(cloud: CloudProcess) -> None:
    """Its facts are shown without effect."""
    address = f"bounce+{uuid4().hex[:8]}@simulator.amazonses.com"
    ingest(bounce_of(address))
    assert "is clear: addresses of SES's mailbox simulator are never suppressed." in run_ok("explain", address)


@pytest.mark.parametrize("text", ["no-address", "a@b@example.com", "ann@example.com,bob@example.com", ""])
def test_what_is_no_address_is_refused(text: str) -> None:
    """The sentence does not repeat it, and no cloud is needed for it."""
    sentence = run_failing("explain", text, exit_code=1)
    assert sentence == "what is asked about is not exactly one e-mail address: write it like ann@example.com"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--since", "2026-03-02", "--until", "2026-03-01"), "--since must not be later than --until"),
        (("--scope", ""), "not a scope: a scope has 1 to 64 characters"),
        (("--as-of", "yesterday"), "not a date or a time: 'yesterday'"),
        (("--max-scan", "1"), "--max-scan must be at least 10MB"),
    ],
)
def test_an_option_that_cannot_be_is_refused(options: tuple[str, ...], sentence: str) -> None:
    """One sentence says how to write it."""
    assert run_failing("explain", *options, "ann@example.com").startswith(sentence)


def test_the_future_cannot_be_explained(cloud: CloudProcess) -> None:
    """What will have arrived by then is not known."""
    tomorrow = format_time(datetime.now(UTC) + timedelta(days=1))
    assert run_failing("explain", "--as-of", tomorrow, "ann@example.com").startswith("--as-of is in the future")


def test_a_senders_machine_explains_from_the_table_alone(
    cloud: CloudProcess, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the table's name alone, the answer says that the log was not read; as of a time it cannot answer."""
    ingest(a_send(destination=[address], messageId=uuid4().hex), bounce_of(address))
    environment = find()
    assert environment
    for name, value in environment.items():
        if name.startswith("AWS_") or name == "MAILFOLD_TABLE":
            monkeypatch.setenv(name, value)
    answer = explained(address)
    assert (answer["suppressed"], answer["log_was_read"], len(answer["events"])) == (True, False, 1)
    assert answer["notes"] == [
        (
            "The event log was not read: MAILFOLD_BUCKET is not set, and no stack is named. "
            "The events are those that the table knows of."
        )
    ]
    assert "needs the event log" in run_failing("explain", "--as-of", "2026-03-01", address)


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    with deployed(monkeypatch):
        yield monkeypatch


def test_a_stack_whose_log_and_lists_are_denied_is_explained_from_its_table(stack: pytest.MonkeyPatch) -> None:
    """Each refusal is a sentence, and the exit code is 0."""
    athena = FakeAthena()
    athena.refuses = "denied"
    ses = FakeAccountList({}, refuses=["AccessDeniedException"] * 9)
    put_behind(stack, athena=athena.client(), sesv2=ses.client())
    stack.setattr(clients, "SES_SECONDS", 0.0)
    run_ok("ingest", "-", *STACK, stdin=bounce_of("ann@example.com"))
    text = run_ok("explain", "ann@example.com", *STACK)
    assert text.startswith("ann@example.com is suppressed: no mail may be sent to it.")
    assert "SES's account list was not read: AWS denies reading the account-level suppression list: no. " in text
    assert "The event log was not read: AWS rejects starting the query: InvalidRequestException: denied. " in text
    assert boto3.client("dynamodb").scan(TableName=TABLE)["Count"] == 1


def test_a_query_in_aws_prints_what_it_costs(stack: pytest.MonkeyPatch) -> None:
    """Athena bills 10 MB at least. A query of all days is announced."""
    put_behind(stack, athena=FakeAthena().client(), sesv2=FakeAccountList({}).client())
    stack.setattr(clients, "SES_SECONDS", 0.0)
    announcement = "all days of the log are read, which AWS bills: --since DAY reads fewer\n"
    cost = "0 bytes read, $0.00005 at Athena's list price\n"
    assert run("explain", "ann@example.com", *STACK).stderr == announcement + cost
    assert run("explain", "--since", "2026-03-01", "ann@example.com", *STACK).stderr == cost


def test_a_person_who_was_erased_is_explained_with_the_key(cloud: CloudProcess, address: str) -> None:
    """The address is suppressed as before, and the answer says that the person was erased."""
    ingest(bounce_of(address))
    run_ok("erase", "--yes", address)
    answer = explained(address)
    assert (answer["suppressed"], [event["kind"] for event in answer["events"]]) == (True, ["evidence"])
    assert answer["notes"][0].startswith("The person was erased: ")


def test_the_permissions_of_support_staff_are_documented(stack: pytest.MonkeyPatch) -> None:
    """Every operation that the command calls is in infra/README.md; Glue and S3 are called by Athena."""
    section = (ROOT / "infra" / "README.md").read_text().partition("## Permissions of support staff\n")[2]
    documented = set(re.findall(r"`(\w+:\w+)`", section.partition("\n## ")[0]))
    athena, ses, called = FakeAthena(), FakeAccountList({}), set[str]()
    put_behind(stack, athena=athena.client(), sesv2=ses.client())
    hooks: Any = session()  # the stubs want a type for each event
    hooks.register("before-call.*", lambda model, **_: called.add(f"{model.service_model.service_name}:{model.name}"))
    run_ok("explain", "ann@example.com", *STACK)
    faked = {
        f"{name}:{called_name.title().replace('_', '')}"
        for name, fake in (("athena", athena), ("ses", ses))
        for called_name in fake.operations()
    }
    assert called | faked <= documented
    on_behalf = {operation for operation in documented if operation.startswith(("glue:", "s3:"))}
    assert documented - called - faked - on_behalf == {"athena:StopQueryExecution"}

"""E-mails are sent with the deployed configuration set, and the commands report their outcome."""

from collections.abc import Iterator
from functools import partial

import pytest

from pipeline.aws.deployment.bundle import Bundle
from pipeline.decode import decode
from pipeline.event import Event
from tests.acceptance.deployment.account import Account
from tests.acceptance.deployment.deployment import Deployment, deploy
from tests.acceptance.deployment.edge import Ses, athena_of
from tests.support.builders import a_complaint
from tests.support.command import json_lines, run_failing, run_ok
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow

STACK = "story"
BOUNCES, COMPLAINS, SUCCEEDS = "bounce@story.example", "complaint@story.example", "success@story.example"
SUPPRESSED = {BOUNCES: "hard", COMPLAINS: "complaint"}


@pytest.fixture(scope="module")
def separate_deployment(account: Account, bundle: Bundle) -> Deployment:
    """A separate deployment, whose log and table contain nothing else."""
    return deploy(account, name=STACK, bundle=bundle)


@pytest.fixture(scope="module")
def sent(separate_deployment: Deployment) -> set[str]:
    """IDs of all events of three e-mails, once they are in log and table."""
    events = Ses(separate_deployment).send(BOUNCES, COMPLAINS, SUCCEEDS)
    ids = {outcome.id for event in events for outcome in decode(event) if isinstance(outcome, Event)}
    eventually(lambda: ids <= {row.event_id for row in separate_deployment.rows()}, what="all events in the log")
    for address in SUPPRESSED:
        eventually(partial(separate_deployment.item, address), what="the item")
    return ids


@pytest.fixture
def athena(separate_deployment: Deployment, operator: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let commands use an Athena that supports Trino's SQL; the emulator's does not."""
    with athena_of(separate_deployment) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL_ATHENA", url)
        yield


def test_lookup_reports_suppressed_addresses(sent: set[str], operator: None) -> None:
    """`lookup` reports the two suppressed addresses with their reasons."""
    answers = json_lines("lookup", "--stack", STACK, "--json", BOUNCES, COMPLAINS, SUCCEEDS)
    assert {answer["address"]: answer["reason"] for answer in answers if answer["suppressed"]} == SUPPRESSED


def test_query_reads_the_log(sent: set[str], athena: None) -> None:
    """`query` counts all events, and the view has the facts of both suppressed addresses."""
    [answer] = json_lines("query", "--stack", STACK, "--json", "SELECT count(DISTINCT event_id) AS events FROM events")
    assert int(answer["events"]) == len(sent)
    sql = "SELECT address, fact FROM suppression_facts ORDER BY 1"
    assert json_lines("query", "--stack", STACK, "--json", sql) == [
        {"address": address, "fact": fact} for address, fact in SUPPRESSED.items()
    ]


def test_a_replay_changes_nothing_and_rebuilds_an_equal_table(sent: set[str], operator: None) -> None:
    """A replay into the live table writes nothing, and one into a new table has the same digest."""
    [live] = json_lines("replay", "--stack", STACK, "--json")
    [rebuilt] = json_lines("replay", "--stack", STACK, "--json", "--into", f"{STACK}-suppression-rebuilt")
    assert (live["written"], rebuilt["written"]) == (0, len(SUPPRESSED))
    assert live["digest"] == rebuilt["digest"]


def test_an_ingested_complaint_is_reported_by_lookup(
    sent: set[str], separate_deployment: Deployment, operator: None
) -> None:
    """A complaint that `ingest` reads suppresses its address."""
    run_ok("ingest", "--stack", STACK, "-", stdin=a_complaint(recipients=["old@story.example"]))
    [answer] = json_lines("lookup", "--stack", STACK, "--json", "old@story.example")
    assert answer["suppressed"]


def test_a_missing_stack_is_reported(operator: None) -> None:
    """The message names the stack and the region."""
    sentence = run_failing("lookup", "--stack", "elsewhere", BOUNCES, exit_code=4)
    assert sentence.startswith("there is no stack elsewhere in eu-west-1")

"""Verdicts are derived again while the projector's Lambda runs, in containers that have read the older policy."""

from collections.abc import Iterator
from itertools import cycle
from typing import Any

import pytest
from moto import mock_aws

from pipeline.aws.clients import Clients, create_client
from pipeline.aws.dynamodb import DynamoSuppressionStore, ensure_table
from pipeline.aws.lambdas import projector
from pipeline.aws.runtime import KNOWN_AFTER_SECONDS, Runtime
from pipeline.aws.settings import Settings
from pipeline.aws.stack import SuppressionTables, create_tables
from pipeline.aws.tables_parameter import publish_policy
from pipeline.memory import MemoryStore
from pipeline.policy import DEFAULT_POLICY, Policy, Rule
from pipeline.rederivation import TableResult, rederive_all
from pipeline.replay import store_digest
from pipeline.standing import Key
from tests.support.builders import a_bounce, a_complaint
from tests.support.lambda_events import Context, a_kinesis_event
from tests.support.scenario import a_batch, project

REGION, PARAMETER, LIVE, SHADOW = "us-east-1", "/mailfold/mail/tables", "mail-suppression-1", "mail-suppression-2"
SETTINGS = Settings(table=LIVE, bucket="mail-log", tables_parameter=PARAMETER)
NEW = Policy(version=2, hard=Rule(expiry_seconds=86_400), complaint=None)
KNOWN = [f"{number}@example.com" for number in range(30)]  # enough for transactions
CONTAINERS = 3


class Account:
    """A table of the older policy in moto, and containers of the Lambda that have read it.

    Attributes:
        events: Feedback that arrives, one by one, as Lambda's events.
        payloads: Its records.
    """

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.dynamodb, self.ssm = create_client("dynamodb", region=REGION), create_client("ssm", region=REGION)
        for table in (LIVE, SHADOW):
            ensure_table(self.dynamodb, table)
        tables = SuppressionTables(live=LIVE, shadow_tables=(SHADOW,))
        create_tables(self.ssm, parameter=PARAMETER, tables=tables)
        self.before = [a_bounce(recipients=[person], feedback_id=person) for person in KNOWN]
        self.payloads = [
            builder(recipients=[person], destination=[person], feedback_id=f"later {person}")
            for person in (*(f"new-{number}@example.com" for number in range(4)), *KNOWN[:4])
            for builder in (a_bounce, a_complaint)
        ]
        self.events = iter([a_kinesis_event(payload) for payload in self.payloads])
        self.now_seconds, self.new = 0.0, set[tuple[str, Key]]()
        containers = [self._a_container() for _ in range(CONTAINERS)]
        self._container = cycle(containers)
        patch.setattr(projector, "_runtime", lambda: next(self._container))
        for _ in containers:
            self.invoke(a_kinesis_event(*self.before))

    def _a_container(self) -> Runtime:
        clients = Clients(lambda service: create_client(service, region=REGION))
        return Runtime(SETTINGS, warn=pytest.fail, clients=clients, clock=lambda: self.now_seconds)

    def invoke(self, event: dict[str, Any]) -> None:
        """Call the Lambda's handler. Nothing may stop, and no item may return to the older policy."""
        assert projector.handler(event, Context()) == {"batchItemFailures": []}
        new = self.items_of(NEW.version)
        assert self.new <= new
        self.new = new

    def invoke_next(self, **_: Any) -> None:
        """Call the handler with the feedback that arrives next, if there is any."""
        for event in self.events:
            self.invoke(event)
            return

    def items_of(self, version: int) -> set[tuple[str, Key]]:
        return {
            (table, key)
            for table in (LIVE, SHADOW)
            for key, item in self.store(table).scan()
            if item.policy_version == version
        }

    def store(self, table: str) -> DynamoSuppressionStore:
        return DynamoSuppressionStore(self.dynamodb, table=table)

    def rederive(self, *, wait: Any, before_call: Any = None) -> dict[str, TableResult]:
        """Publish the new policy and derive again, with a client before whose calls something happens."""
        own = create_client("dynamodb", region=REGION)
        if before_call:
            own.meta.events.register("before-call.dynamodb", before_call)
        assert publish_policy(self.ssm, parameter=PARAMETER, policy=NEW)
        tables = {table: DynamoSuppressionStore(own, table=table) for table in (LIVE, SHADOW)}
        return dict(rederive_all(lambda: tables, policy=NEW, wait=wait))

    def assert_rebuilt(self) -> None:
        """Check that both tables are as a rebuild under the new policy."""
        rebuilt = MemoryStore()
        project(a_batch(*self.before, *self.payloads), store=rebuilt, policy=NEW)
        for table in (LIVE, SHADOW):
            assert dict(self.store(table).scan()) == dict(rebuilt.scan())


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    with mock_aws():
        yield Account(monkeypatch)


def test_containers_with_the_older_policy_run_beside_it(account: Account) -> None:
    """Feedback arrives before each of its calls, and what is left during the wait."""

    def wait() -> None:
        for event in account.events:
            account.invoke(event)
        account.now_seconds += KNOWN_AFTER_SECONDS

    account.rederive(wait=wait, before_call=account.invoke_next)
    account.assert_rebuilt()


def test_containers_with_the_older_policy_write_behind_it(account: Account) -> None:
    """Items that they create after the first pass are found by the last ones."""

    def wait() -> None:
        older = len(account.items_of(DEFAULT_POLICY.version))
        for event in account.events:
            account.invoke(event)
        assert len(account.items_of(DEFAULT_POLICY.version)) > older == 0
        account.now_seconds += KNOWN_AFTER_SECONDS

    results = account.rederive(wait=wait)
    account.assert_rebuilt()
    assert all(result.written > len(KNOWN) for result in results.values())


def test_without_feedback_the_digest_stays(account: Account) -> None:
    """Items are written under their condition in transactions, and no fact changes."""
    account.payloads.clear()
    before = store_digest(account.store(LIVE))
    results = account.rederive(wait=lambda: None)
    account.assert_rebuilt()
    result = TableResult(items=len(KNOWN), written=len(KNOWN), digest_before=before, digest_after=before)
    assert results == {LIVE: result, SHADOW: result}


def test_a_batch_after_the_wait_begins_with_the_new_policy(account: Account) -> None:
    """A container reads the parameter again by itself."""
    account.rederive(wait=lambda: None)
    account.now_seconds += KNOWN_AFTER_SECONDS
    for event in account.events:
        account.invoke(event)
    assert account.items_of(DEFAULT_POLICY.version) == set()
    account.assert_rebuilt()

"""The readers under schemas/readers agree with the verdict, whatever the facts, scopes, policy, purpose and time."""

import json
import runpy
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from shutil import which
from subprocess import PIPE, Popen, run
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.address import Address
from pipeline.aws.dynamodb_item import to_attributes
from pipeline.policy import ESSENTIAL, Policy, Rule, SoftRule, verdict
from pipeline.projection import to_item
from pipeline.pseudonym import KEY_BYTES, pseudonym
from pipeline.standing import EVERY_SCOPE, NOTHING_KNOWN, Key, Standing
from pipeline.timestamp import format_time, from_ms
from pipeline.verdict import join_verdicts
from tests.support.builders import ADA, OCCURRED_AT, a_bounce, a_complaint
from tests.support.fake_service import FakeService
from tests.support.items import an_item
from tests.support.node import NODE
from tests.support.strategies import standings

READERS = Path(__file__).parents[2] / "schemas/readers"
NODE_LOOP = """
const { isSuppressed } = await import(process.argv[1]);
const { createInterface } = await import("node:readline");
for await (const line of createInterface({ input: process.stdin })) {
  const { items, purpose, now } = JSON.parse(line);
  let answer;
  try { answer = isSuppressed(items, { purpose: purpose ?? undefined, now: new Date(now) }); }
  catch (error) { answer = error.message; }
  console.log(JSON.stringify(answer));
}
"""
PYTHON_LOOP = """
import json, runpy, sys
from datetime import datetime
is_suppressed = runpy.run_path(sys.argv[1])["is_suppressed"]
for line in sys.stdin:
    case = json.loads(line)
    try:
        answer = is_suppressed(case["items"], purpose=case["purpose"], now=datetime.fromisoformat(case["now"]))
    except ValueError as error:
        answer = str(error)
    print(json.dumps(answer), flush=True)
assert not any(name.split(".")[0] in ("pipeline", "mailfold") for name in sys.modules)
"""
NODE_PSEUDONYM = """
const { pseudonym } = await import(process.argv[1]);
console.log(pseudonym("jürgen@example.com", Buffer.from(process.argv[2], "hex")));
"""
COMMANDS = {
    "suppression.mjs": (NODE, "--input-type=module", "-e", NODE_LOOP),
    "suppression.py": (sys.executable, "-c", PYTHON_LOOP),
}
POLICIES = (
    Policy(),
    Policy(hard=Rule(expiry_seconds=1), forwarded=Rule(exempt=("billing", ESSENTIAL)), complaint=None),
    Policy(soft=SoftRule(mails=1, window_seconds=1, expiry_seconds=1), inferred=Rule(exempt=("billing",))),
)


class Reader:
    """A reader in a process of its own, which answers a line for each line."""

    def __init__(self, process: "Popen[str]") -> None:
        self._process = process

    def ask(self, items: Sequence[Any], *, now: datetime, purpose: str | None = None) -> object:
        """Return whether mail is suppressed, or the message of the reader's error."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin
        assert stdout
        print(json.dumps({"items": items, "purpose": purpose, "now": format_time(now)}), file=stdin, flush=True)
        return json.loads(stdout.readline())


@pytest.fixture(scope="module", params=COMMANDS)
def reader(request: pytest.FixtureRequest) -> Iterator[Reader]:
    """Each reader. Its language must be installed: a reader that is not run is not tested."""
    program, *arguments = COMMANDS[request.param]
    executable = which(program)
    assert executable, f"{program} is needed to test {request.param}"
    command = [executable, *arguments, str(READERS / request.param)]
    with Popen(command, stdin=PIPE, stdout=PIPE, text=True) as process:  # noqa: S603 - a file of this project
        yield Reader(process)
        assert process.stdin
        process.stdin.close()
        assert process.wait(timeout=30) == 0


@given(
    facts=st.tuples(standings, standings),
    policy=st.sampled_from(POLICIES),
    purpose=st.sampled_from([None, ESSENTIAL, "billing", "unheard_of"]),
    now_ms=st.integers(998, 1_006) | st.sampled_from([0, 10**9, 10**12]),
)
def test_a_reader_gives_the_verdicts_answer(
    reader: Reader, facts: tuple[Standing, Standing], policy: Policy, purpose: str | None, now_ms: int
) -> None:
    """Two scopes, expired and exempt reasons, and purposes that nothing exempts."""
    now, scopes = from_ms(now_ms), (EVERY_SCOPE, "acme")
    by_key = {Key(Address(ADA), scope): standing for scope, standing in zip(scopes, facts, strict=True)}
    items = [
        to_attributes(key, to_item(key, standing, policy))
        for key, standing in by_key.items()
        if standing != NOTHING_KNOWN
    ]
    expected = join_verdicts(verdict(standing, policy, address=key.address) for key, standing in by_key.items())
    assert reader.ask(items, now=now, purpose=purpose) is expected.holds_at(now, purpose)


def test_an_address_without_an_item_is_clear(reader: Reader) -> None:
    """No item is an answer."""
    assert reader.ask([], now=OCCURRED_AT) is False


@pytest.mark.parametrize("contract", [{"N": "2"}, {"N": "0"}, None])
def test_an_unknown_contract_is_refused(reader: Reader, contract: Any) -> None:
    """Even if another item suppresses: a reader that guesses would send."""
    items: list[Any] = [to_attributes(Key(Address(ADA)), an_item(a_bounce())) for _ in range(2)]
    items[1] |= {"contract": contract} if contract else {}
    if contract is None:
        del items[1]["contract"]
    assert "unknown contract" in str(reader.ask(items, now=OCCURRED_AT))


def test_an_attribute_of_the_future_is_ignored(reader: Reader) -> None:
    """Attributes may be added under the same contract."""
    item: Any = to_attributes(Key(Address(ADA)), an_item(a_complaint()))
    assert reader.ask([item | {"novel": {"S": "x"}}], now=datetime.now(UTC)) is True


class BusyTable(FakeService):
    """DynamoDB with a table that leaves the last key out of its first responses."""

    SERVICE = "dynamodb"

    def __init__(self, busy: int) -> None:
        super().__init__()
        self.busy = busy

    def _batch_get_item(self, *, RequestItems: Any) -> dict[str, Any]:  # noqa: N803 - as in AWS's API
        keys = RequestItems["t"]["Keys"]
        self.busy -= 1
        answered = keys[:-1] if self.busy >= 0 else keys
        unprocessed = {"t": {"Keys": keys[-1:]}} if self.busy >= 0 else {}
        return {"Responses": {"t": list(answered)}, "UnprocessedKeys": unprocessed}


def test_the_python_reader_reads_both_scopes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys that a busy table leaves out are requested again, and in the end it is an error."""
    read_items, slept = runpy.run_path(str(READERS / "suppression.py"))["read_items"], list[float]()
    monkeypatch.setattr("time.sleep", slept.append)
    keys = [{"address": {"S": ADA}, "scope": {"S": scope}} for scope in (EVERY_SCOPE, "acme")]
    assert read_items(BusyTable(busy=1).client(), "t", ADA, scope="acme") == keys
    assert read_items(BusyTable(busy=0).client(), "t", ADA) == keys[:1]
    with pytest.raises(TimeoutError, match="do not send"):
        read_items(BusyTable(busy=9).client(), "t", ADA)
    assert len(slept) == 6


def test_the_readers_find_an_erased_person_with_the_key() -> None:
    """Both compute Mailfold's pseudonym, and ask for the items of both addresses."""
    reader, key = runpy.run_path(str(READERS / "suppression.py")), bytes(range(KEY_BYTES))
    expected = pseudonym(Address("jürgen@example.com"), key=key)
    arguments = [NODE, "--input-type=module", "-e", NODE_PSEUDONYM, str(READERS / "suppression.mjs"), key.hex()]
    said = run(arguments, check=True, capture_output=True, text=True, timeout=60).stdout  # noqa: S603 - as above

    assert reader["pseudonym"]("jürgen@example.com", key) == said.strip() == expected
    asked = reader["read_items"](BusyTable(busy=0).client(), "t", ADA, scope="acme", erasure_key=key)
    assert [each["address"]["S"] for each in asked] == [ADA, ADA, *[pseudonym(Address(ADA), key=key)] * 2]

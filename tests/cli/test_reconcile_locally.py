"""`mailfold reconcile` heals a local cloud's table, and `mailfold drill` proves that it equals the log."""

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from uuid import uuid4

import pytest

from pipeline.cli.target import target
from tests.support.cloud_process import CloudProcess, found_client
from tests.support.command import json_lines, run, run_ok

NOW = ("--grace", "0")
ALL = (*NOW, "--log-delay", "0")
RUNS = 200  # each takes tenths of a second
LOG = "mailfold-log"


@pytest.fixture
def bounced(cloud: CloudProcess) -> Iterator[str]:
    """An address whose bounce is in the log, and of which the table lost the item."""
    address = f"bounce+{uuid4().hex[:8]}@example.com"
    run_ok("send", "--to", address)
    cloud.settle()
    run_ok("reconcile", "--heal", *NOW)
    lose(address)
    yield address
    run("reconcile", "--heal", *NOW)


def lose(address: str) -> None:
    """Delete the item of an address, as if its delivery had been lost. A rebuild may have made another table live."""
    with closing(found_client("dynamodb")) as dynamodb:
        dynamodb.delete_item(TableName=target().settings.table, Key={"address": {"S": address}, "scope": {"S": "*"}})


def test_a_lost_delivery_is_counted_healed_and_then_proved(bounced: str) -> None:
    """Counted without --heal, healed with it, and proved by the digests of log and table."""
    sentence = run_failing_after_result("reconcile", *NOW)
    assert sentence == "the table lacks facts of 1 address: add --heal"
    assert run("drill", *ALL).exit_code == 1

    [healed] = json_lines("reconcile", "--heal", "--json", *NOW)
    [again] = json_lines("reconcile", "--json", *NOW)
    [proof] = json_lines("drill", "--json", *ALL)

    assert (healed["missing"], healed["stale"], healed["healed"], healed["facts"]) == (1, 0, 1, {"hard": 1})
    assert (again["missing"], again["healed"]) == (0, 0)
    assert proof["is_proved"]
    assert proof["log_digest"] == proof["table_digest"]
    assert proof["days_since_proved"] == 0
    assert [answer["suppressed"] for answer in json_lines("lookup", "--json", bounced)] == [True]


def run_failing_after_result(*arguments: str) -> str:
    """Run a command that prints its result and then fails, and return the sentence."""
    result = run(*arguments)
    assert result.exit_code == 1, result.output
    assert result.stdout
    return result.stderr.splitlines()[-1].removeprefix("mailfold: ")


def test_a_fact_that_arrived_minutes_ago_is_not_compared(bounced: str) -> None:
    """It may be on its way to the table, so neither reconcile nor drill calls it lost."""
    [counts] = json_lines("reconcile", "--json")
    [proof] = json_lines("drill", "--json")

    assert counts["missing"] == 0
    assert (proof["missing"], proof["is_proved"], proof["in_flight"] >= 1) == (0, True, True)


def test_addresses_are_shown_only_on_request(bounced: str) -> None:
    """With each fact, its time and its event; for programs, one line of JSON for each address."""
    for name in ("reconcile", "drill"):
        assert "@" not in run(name, *NOW).stdout
        assert "@" not in run(name, "--json", *NOW).stdout
        text = run(name, "--addresses", *NOW).stdout
        assert f"{bounced}\n  only in the log: hard at 20" in text
        first = run(name, "--addresses", "--json", *NOW).stdout.splitlines()[0]
        assert bounced in first
        assert '"only_in_log":[{"fact":"hard","at":"20' in first


def test_the_drill_says_what_differs_and_how_to_heal_it(bounced: str) -> None:
    """And keeps the time of the last proof."""
    result = run("drill", *NOW)

    assert "only in the log: 1 hard; 1 without an item, 0 whose item lacks facts" in result.stdout
    assert "last proved equal " in result.stdout or "never proved equal" in result.stdout
    assert result.stderr.splitlines()[-1] == (
        "mailfold: log and table differ by 1 fact: heal the table with `mailfold reconcile --heal --since 1970-01-01`"
    )


def test_what_only_the_table_has_is_adopted_by_the_log(cloud: CloudProcess, bounced: str) -> None:
    """The fact is lost to the log: it is written as evidence, and log and table are equal afterwards."""
    run_ok("reconcile", "--heal", *NOW)
    with closing(found_client("s3")) as s3:
        lost = [entry["Key"] for entry in s3.list_objects_v2(Bucket=LOG, Prefix="events/")["Contents"]]
        kept = {key: s3.get_object(Bucket=LOG, Key=key)["Body"].read() for key in lost}
        for key in lost:
            s3.delete_object(Bucket=LOG, Key=key)
        try:
            sentence = run_failing_after_result("drill", *ALL)
            run_ok("reconcile", "--adopt", *NOW)  # other tests' facts may be old; this one's is too young
            still = run_failing_after_result("drill", *ALL)
            adopted, proof = adopt_everything(cloud)
            again = json_lines("reconcile", "--adopt", "--json", *ALL)[-1]
        finally:
            for key, body in kept.items():
                s3.put_object(Bucket=LOG, Key=key, Body=body)

    advice = "write what only the table has into the log with `mailfold reconcile --adopt`"
    assert advice in sentence
    assert advice in still
    assert again["adopted"] == 0
    assert adopted >= 1
    assert proof["is_proved"]
    assert proof["log_digest"] == proof["table_digest"]
    [whole] = json_lines("drill", "--json", *ALL)
    assert whole["log_digest"] == proof["log_digest"]


def adopt_everything(cloud: CloudProcess) -> tuple[int, dict[str, Any]]:
    """Adopt until nothing is in flight: the simulator dates some bounces seconds ahead."""
    adopted = 0
    for _ in range(RUNS):
        adopted += json_lines("reconcile", "--adopt", "--json", *ALL)[-1]["adopted"]
        cloud.settle()
        proof = json.loads(run("drill", "--json", *ALL).stdout)  # its time may have come since the adoption
        if proof["is_proved"] and not proof["in_flight"]:
            return adopted, proof
    raise AssertionError(proof)


def test_the_lists_of_ses_are_compared_in_both_directions(cloud: CloudProcess, bounced: str) -> None:
    """What SES lists and the table lacks, and the other way round, each with its cause."""
    listed = f"listed-{uuid4().hex[:8]}@example.com"
    with closing(found_client("sesv2")) as ses:
        ses.put_suppressed_destination(EmailAddress=listed, Reason="BOUNCE")
        try:
            before = json_lines("reconcile", "--heal", "--with-ses", "--json", *NOW)[-1]["ses"]
            ses.delete_suppressed_destination(EmailAddress=bounced)
            text = run_ok("reconcile", "--with-ses", "--addresses", *NOW)
            after = json_lines("reconcile", "--with-ses", "--json", *NOW)[-1]["ses"]
            lines = run_ok("reconcile", "--with-ses", *NOW)
        finally:
            ses.delete_suppressed_destination(EmailAddress=listed)

    assert before["listed"]["unexplained"] >= 1
    assert after["suppressed"].get("removed", 0) == before["suppressed"].get("removed", 0) + 1
    assert f"{listed}: on SES's list only (bounce), unexplained" in text
    assert f"{bounced}: suppressed here only (hard), removed" in text
    assert "no event here explains it" in lines
    assert "@" not in lines

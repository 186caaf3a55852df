"""`mailfold revert` releases what the false bounces of one incident alone suppress."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from pipeline.surge import Surge
from pipeline.timestamp import format_time
from tests.support.builders import a_bounce, a_complaint
from tests.support.cloud_process import CloudProcess
from tests.support.command import json_lines, run, run_failing, run_ok

INCIDENT = datetime(2026, 5, 1, 9, tzinfo=UTC)
SENT = "2026-04-30T00:00:00Z"
WINDOW = ("--since", "2026-05-01T09:00", "--until", "2026-05-01T10:00")
WHY = ("--reason", "their filter failed")


@pytest.fixture
def domain() -> str:
    """A domain that no other test uses."""
    return f"{uuid4().hex[:8]}.example"


def ingest(*payloads: bytes) -> None:
    run_ok("ingest", "-", stdin=b"\n".join(payloads))


def bounced(address: str, minutes: float, *, status: str = "5.7.1") -> bytes:
    at = INCIDENT + timedelta(minutes=minutes)
    person = {"status": status, "diagnosticCode": f"smtp; 550 {status} rejected"}
    return a_bounce(recipients=[address], at=at, feedback_id=f"{address} {at}", timestamp=SENT, person=person)


def suppressed(*addresses: str) -> list[bool]:
    return [line["suppressed"] for line in json_lines("lookup", "--json", *addresses)]


@pytest.fixture
def people(cloud: CloudProcess, domain: str) -> list[str]:
    """Four addresses: two bounced in the window, one before it too, and one complained."""
    false, twice, before, complained = (f"{name}@{domain}" for name in ("false", "twice", "before", "complained"))
    ingest(
        bounced(false, 0),
        bounced(twice, 10),
        bounced(twice, 59),
        bounced(before, -1),
        bounced(before, 30),
        bounced(complained, 30),
        a_complaint(recipients=[complained], at=INCIDENT, feedback_id=complained, timestamp=SENT),
        bounced(f"other@other.{domain}", 30),
    )
    return [false, twice, before, complained]


def test_an_incident_is_shown_and_then_reverted(people: list[str], domain: str) -> None:
    """One release for each address that it alone suppresses; the rest is listed with the reason, and stays."""
    command = ("revert", *WINDOW, "--domain", domain.upper(), "--status", "5.7.*", *WHY)
    shown = run_ok(*command, "--dry-run").splitlines()
    assert shown[0] == "release: 2 addresses"
    assert sorted(shown[1:3]) == [
        f"  false@{domain}: suppressed (blocked), then clear",
        f"  twice@{domain}: suppressed (blocked), then clear",
    ]
    assert sorted(shown[3:]) == [
        f"  before@{domain}",
        f"  complained@{domain}",
        "left as it is: 1 address: another reason holds: complaint",
        "left as it is: 1 address: it bounced outside of the window, or with another status",
    ]
    assert suppressed(*people) == [True] * 4
    lines = {line["address"]: line for line in json_lines(*command, "--json")}
    assert suppressed(*people) == [False, False, True, True]
    assert lines[f"twice@{domain}"]["at"] == format_time(INCIDENT + timedelta(minutes=59))
    assert lines[f"complained@{domain}"] == {
        "address": f"complained@{domain}",
        "scope": "*",
        "action": None,
        "why": "another reason holds: complaint",
    }
    assert suppressed(f"other@other.{domain}") == [True]
    assert len([line for line in json_lines(*command, "--json") if line["action"]]) == 0


def test_a_release_lifts_nothing_that_is_later_than_the_incident(people: list[str], domain: str) -> None:
    """A bounce after the newest false one, which arrives later, suppresses again."""
    run_ok("revert", *WINDOW, "--domain", domain, *WHY)
    ingest(bounced(people[0], 45, status="5.1.1"))
    assert suppressed(*people[:2]) == [True, False]
    run_ok("revert", *WINDOW, "--domain", domain, *WHY)
    assert suppressed(*people[:2]) == [False, False]


def test_the_command_that_reconcile_proposes_runs(people: list[str], domain: str) -> None:
    """Its reason, which it does not state, names the incident."""
    statuses = {"5.7.1": 4}
    surge = Surge(hour=INCIDENT, domain=domain, bounces=4, sends=4, statuses=statuses)
    lines = json_lines(*surge.revert_arguments, "--json")
    assert suppressed(*people) == [False, False, True, True]
    [reason] = {line["reason"] for line in lines if line["action"]}
    assert reason == f"false bounces of {domain} from 2026-05-01T09:00:00Z until 2026-05-01T10:00:00Z"


def test_a_rebuild_keeps_what_was_reverted(cloud: CloudProcess, people: list[str], domain: str) -> None:
    """Each release is an event of the log."""
    run_ok("revert", *WINDOW, "--domain", domain, *WHY)
    cloud.settle()
    into = f"rebuilt-{uuid4().hex[:8]}"
    [live], [rebuilt] = json_lines("replay", "--json"), json_lines("replay", "--json", "--into", into)
    assert live["digest"] == rebuilt["digest"]


def test_nothing_to_revert_is_said(cloud: CloudProcess, domain: str) -> None:
    """The exit code is 0, because repeating is harmless."""
    result = run("revert", *WINDOW, "--domain", domain, *WHY)
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "no address is concerned\n"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"--until": "2026-05-01T09:00"}, "--since must be earlier than --until"),
        ({"--since": "yesterday"}, "not a date or a time: 'yesterday'"),
        ({"--domain": "no domain"}, "not a domain: 'no domain'; write it like example.com"),
        ({"--reason": ""}, "no reason"),
    ],
)
def test_an_invalid_incident_is_refused(cloud: CloudProcess, options: dict[str, str], sentence: str) -> None:
    """Before the table is read."""
    given: dict[str, Any] = {"--since": "2026-05-01T09:00", "--until": "2026-05-01T10:00", "--domain": "example.com"}
    arguments = [part for option in (given | {"--reason": "x"} | options).items() for part in option]
    assert run_failing("revert", *arguments).startswith(sentence)


def test_the_json_of_a_dry_run_lists_every_address(people: list[str], domain: str) -> None:
    """A person or a program sees all before anything is decided."""
    lines = json_lines("revert", *WINDOW, "--domain", domain, *WHY, "--dry-run", "--json")
    assert sorted(line["address"] for line in lines) == sorted(people)
    assert json.dumps(lines).count('"published": false') == 2

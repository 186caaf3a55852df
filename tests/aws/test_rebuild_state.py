"""The state of a rebuild survives its process, and one process holds it at a time."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta

import pytest
from moto import mock_aws

from pipeline.aws.rebuild_state import KEY, LEASE, begin, take_over, this_holder, utc_now
from pipeline.errors import UsageError
from tests.support.rebuild_scenario import BUCKET, RebuildScenario
from tests.support.waiting import until

SHORT = timedelta(seconds=0.2)


@pytest.fixture
def scenario() -> Iterator[RebuildScenario]:
    with mock_aws():
        yield RebuildScenario()


def test_a_lease_is_extended_while_its_process_runs(scenario: RebuildScenario) -> None:
    """And released at the end, so that another process can go on at once."""
    rebuild = scenario.a_rebuild(held_until=utc_now())
    with begin(scenario.state, rebuild, lease=SHORT):
        assert until(lambda: (stored := scenario.state.read()) and stored.rebuild.held_until > rebuild.held_until)
    stored = scenario.state.read()
    assert stored
    with take_over(scenario.state, stored) as lease:
        assert lease.rebuild.holder == this_holder()


def test_the_holder_notices_that_it_lost_its_rebuild(scenario: RebuildScenario) -> None:
    """Its next step raises, whatever it was doing."""
    with begin(scenario.state, scenario.a_rebuild(), lease=SHORT) as lease:
        scenario.clients.s3.put_object(Bucket=BUCKET, Key=KEY, Body=b"another's")

        def is_lost() -> bool:
            try:
                lease.check()
            except UsageError:
                return True
            return False

        assert until(is_lost)


def test_a_holder_that_died_on_this_host_is_known_to_be_dead(scenario: RebuildScenario) -> None:
    """Its rebuild is taken over at once. One that lives, on this host or another, keeps it until its lease ends."""
    with subprocess.Popen([sys.executable, "-c", ""]) as dead:
        dead.wait(timeout=60)
    host = socket.gethostname()
    holders = {dead.pid: host, os.getpid(): host, 1: host, dead.pid + 1: "another-host"}
    answers = []
    for process, place in holders.items():
        rebuild = scenario.a_rebuild(holder=f"ann on {place} (process {process})", held_until=utc_now() + LEASE)
        scenario.state.create(rebuild)
        stored = scenario.state.read()
        assert stored
        try:
            take_over(scenario.state, stored)
            answers.append(True)
        except UsageError:
            answers.append(False)
        scenario.state.delete()
    assert answers == [True, False, False, False]


def test_an_object_that_is_no_state_is_named(scenario: RebuildScenario) -> None:
    """As after an upgrade that reads it no more."""
    scenario.clients.s3.put_object(Bucket=BUCKET, Key=KEY, Body=b'{"step": 1}')
    with pytest.raises(UsageError, match=f"s3://{BUCKET}/{KEY} is not the state of a rebuild: delete it"):
        scenario.state.read()


def test_a_holder_has_a_name_without_an_entry_for_its_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container."""

    def fail() -> str:
        raise KeyError

    monkeypatch.setattr("getpass.getuser", fail)
    assert this_holder().startswith(f"{os.getuid()} on ")

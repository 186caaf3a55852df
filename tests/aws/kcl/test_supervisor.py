"""All daemons end in good order when that is asked for, or by force; and with the first that can go on no longer."""

from collections.abc import Callable
from threading import Thread
from typing import Any

import pytest

from pipeline.aws.kcl import supervisor as supervisor_module
from pipeline.aws.kcl.health import HealthMonitor
from pipeline.aws.kcl.supervisor import Supervisor, Worker
from pipeline.errors import Unavailable
from tests.support.fake_daemon import FakeDaemon

JOIN_SECONDS = 20.0
WORDS = "daemons that have not ended yet are ended by force; what they had not done is read again"


@pytest.fixture(autouse=True)
def _no_slack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor_module, "SLACK_SECONDS", 0.0)


def supervised(
    *daemons: FakeDaemon, ask: Callable[[Supervisor], None], grace_seconds: float = JOIN_SECONDS
) -> tuple[bool, list[str]]:
    """Run daemons, do something once all of them run, and return whether they ended well, and the warnings."""
    warnings: list[str] = []
    told: dict[str, Any] = {"condition": HealthMonitor(workers=len(daemons)), "show": list, "warn": warnings.append}
    workers = [Worker(number, start=daemons.__getitem__, restarts=0, **told) for number in range(len(daemons))]

    def wait_and_ask(supervisor: Supervisor) -> None:
        for daemon in daemons:
            assert daemon.runs.wait(JOIN_SECONDS)
        ask(supervisor)

    with Supervisor(workers, grace_seconds=grace_seconds, warn=warnings.append) as supervisor:
        thread = Thread(target=wait_and_ask, args=(supervisor,))
        thread.start()
        try:
            return supervisor.run(), warnings
        finally:
            thread.join(JOIN_SECONDS)


def test_asked_to_stop_it_stops_every_daemon_in_good_order() -> None:
    daemons = FakeDaemon(), FakeDaemon()
    assert supervised(*daemons, ask=Supervisor.stop) == (True, [])
    assert not any(daemon.was_killed for daemon in daemons)


def test_asked_twice_it_ends_them_at_once() -> None:
    def stop_twice(supervisor: Supervisor) -> None:
        supervisor.stop()
        supervisor.stop()

    daemon = FakeDaemon(stubborn=True)
    assert supervised(daemon, ask=stop_twice) == (False, [WORDS])
    assert daemon.was_killed


def test_a_daemon_that_does_not_end_in_time_is_ended_by_force() -> None:
    daemons = FakeDaemon(), FakeDaemon(stubborn=True)
    assert supervised(*daemons, ask=Supervisor.stop, grace_seconds=0.05) == (False, [WORDS])
    assert daemons[1].was_killed


def test_with_one_that_is_given_up_the_others_are_stopped() -> None:
    daemons = FakeDaemon(), FakeDaemon(exit_code=1)
    with pytest.raises(Unavailable, match="exit code 1"):
        supervised(*daemons, ask=lambda _: None)
    assert not daemons[0].was_killed

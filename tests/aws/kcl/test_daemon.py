"""A daemon's process: all that it writes is heard, and nothing of it is left, however it or its parent ends."""

import os
import signal
import subprocess
import sys
from threading import Thread

import pytest

from pipeline.aws.kcl.daemon import Daemon
from tests.acceptance.kcl.process import lives
from tests.support.waiting import until

WAIT_SECONDS = 20.0
# Stands for a daemon with a record processor that does not notice that it is gone.
WITH_A_CHILD = """
import subprocess, sys, time
nothing = subprocess.DEVNULL
child = subprocess.Popen(["sleep", "1000"], stdin=nothing, stdout=nothing, stderr=nothing)
print(child.pid, flush=True)
"""
FOR_EVER = "time.sleep(1000)"
PARENT = f"""
import os
from pipeline.aws.kcl.daemon import Daemon
program = "import time; print('runs', flush=True); time.sleep(1000)"
daemon = Daemon(["{sys.executable}", "-c", program], environment=os.environ)
print(next(daemon.lines()).decode().strip(), daemon._process.pid, flush=True)
input()
"""


def a_daemon(program: str) -> Daemon:
    return Daemon([sys.executable, "-c", program], environment=os.environ)


def test_both_of_its_outputs_are_heard_and_its_exit_code_told() -> None:
    daemon = a_daemon("import sys; print('out', flush=True); print('err', file=sys.stderr, flush=True); sys.exit(3)")
    assert list(daemon.lines()) == [b"out\n", b"err\n"]
    assert daemon.wait() == 3


def test_it_is_stopped_by_sigterm() -> None:
    daemon = a_daemon("import time; print('runs', flush=True); time.sleep(1000)")
    lines = daemon.lines()
    assert next(lines) == b"runs\n"
    daemon.stop()
    assert list(lines) == []
    assert daemon.wait() == -signal.SIGTERM


@pytest.mark.parametrize("ending", ["", FOR_EVER])
def test_what_it_started_ends_with_it(ending: str) -> None:
    daemon = a_daemon(WITH_A_CHILD + ending)
    lines = daemon.lines()
    child = int(next(lines))
    if ending:
        daemon.kill()
    assert list(lines) == []
    daemon.wait()
    until(lambda: not lives(child), timeout_seconds=WAIT_SECONDS)
    assert not lives(child)


def test_a_signal_from_the_terminal_does_not_reach_it() -> None:
    daemon = a_daemon("import os; print(os.getpgid(0), flush=True)")
    [group] = daemon.lines()
    daemon.wait()
    assert int(group) != os.getpgid(0)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux's kernel ends it")
def test_it_ends_with_whoever_started_it_however_that_ends() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:  # noqa: S603 - made above
        assert parent.stdout
        word, daemon = parent.stdout.readline().split()
        assert word == b"runs"
        parent.kill()
        until(lambda: not lives(int(daemon)), timeout_seconds=WAIT_SECONDS)
        assert not lives(int(daemon))


def test_it_can_be_stopped_from_another_thread_while_it_is_listened_to() -> None:
    daemon = a_daemon("import time; time.sleep(1000)")
    heard: list[bytes] = []
    thread = Thread(target=lambda: heard.extend(daemon.lines()))
    thread.start()
    daemon.stop()
    thread.join(WAIT_SECONDS)
    assert not thread.is_alive()
    assert daemon.wait() == -signal.SIGTERM

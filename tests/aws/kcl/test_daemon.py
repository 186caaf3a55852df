"""A daemon's process: all of its output is read, and nothing of it is left, however it or its parent ends."""

import os
import signal
import subprocess
import sys
from threading import Thread

import pytest

from pipeline.aws.kcl.daemon import Daemon
from tests.acceptance.kcl.process import is_running
from tests.support.waiting import until

WAIT_SECONDS = 300.0
# A daemon with a record processor that does not notice that the daemon is gone.
WITH_A_CHILD = """
import subprocess, sys, time
null = subprocess.DEVNULL
child = subprocess.Popen(["sleep", "1000"], stdin=null, stdout=null, stderr=null)
print(child.pid, flush=True)
"""
KEEP_RUNNING = "time.sleep(1000)"
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


def test_both_outputs_are_read_and_the_exit_code_is_returned() -> None:
    """Standard output and standard error arrive as one stream of lines."""
    daemon = a_daemon("import sys; print('out', flush=True); print('err', file=sys.stderr, flush=True); sys.exit(3)")
    assert list(daemon.lines()) == [b"out\n", b"err\n"]
    assert daemon.wait() == 3


def test_stop_sends_sigterm() -> None:
    """The daemon can end in order."""
    daemon = a_daemon("import time; print('runs', flush=True); time.sleep(1000)")
    lines = daemon.lines()
    assert next(lines) == b"runs\n"
    daemon.stop()
    assert list(lines) == []
    assert daemon.wait() == -signal.SIGTERM


@pytest.mark.parametrize("ending", ["", KEEP_RUNNING])
def test_its_children_end_with_it(ending: str) -> None:
    """No record processor is left, whether the daemon ends or is killed."""
    daemon = a_daemon(WITH_A_CHILD + ending)
    lines = daemon.lines()
    child = int(next(lines))
    if ending:
        daemon.kill()
    assert list(lines) == []
    daemon.wait()
    until(lambda: not is_running(child), timeout_seconds=WAIT_SECONDS)
    assert not is_running(child)


def test_a_signal_from_the_terminal_does_not_reach_it() -> None:
    """It has its own process group."""
    daemon = a_daemon("import os; print(os.getpgid(0), flush=True)")
    [group] = daemon.lines()
    daemon.wait()
    assert int(group) != os.getpgid(0)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux's kernel ends it")
def test_it_ends_with_its_parent_however_that_ends() -> None:
    """A daemon whose supervisor was killed does not go on reading."""
    with subprocess.Popen([sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:  # noqa: S603 - our own program
        assert parent.stdout
        word, daemon = parent.stdout.readline().split()
        assert word == b"runs"
        parent.kill()
        until(lambda: not is_running(int(daemon)), timeout_seconds=WAIT_SECONDS)
        assert not is_running(int(daemon))


def test_another_thread_can_stop_it_while_its_output_is_read() -> None:
    """The supervisor's main thread stops daemons that worker threads listen to."""
    daemon = a_daemon("import time; time.sleep(1000)")
    lines: list[bytes] = []
    thread = Thread(target=lambda: lines.extend(daemon.lines()))
    thread.start()
    daemon.stop()
    thread.join(WAIT_SECONDS)
    assert not thread.is_alive()
    assert daemon.wait() == -signal.SIGTERM

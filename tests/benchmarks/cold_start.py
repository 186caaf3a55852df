"""The start of each Lambda against boto3 with one client, which is the least that talks to AWS: in fresh processes.

What is counted is CPU time from the first import on, so that Python's own start, which both have, is not.
"""

import subprocess
import sys
from functools import partial
from pathlib import Path

from tests.benchmarks.measure import Ratio, alternate_costs

GOAL = 1.3

PEER = "import boto3; boto3.client('dynamodb')"
TRANSFORM = "import pipeline.aws.lambdas.transform"
PROJECTOR = "import pipeline.aws.lambdas.projector; pipeline.aws.lambdas.projector._runtime()"

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
    "MAILFOLD_TABLE": "mail-suppression",
    "MAILFOLD_BUCKET": "mail-log",
    "MAILFOLD_TABLES_PARAMETER": "/mailfold/mail/tables",
}


def compare() -> list[Ratio]:
    """Return the ratio of each Lambda."""
    note = "per start, in processes of their own"
    return [
        alternate_costs(
            f"start of {name}, by boto3 and one client", partial(_cost_us, ours), _peer, goal=GOAL, note=note
        )
        for name, ours in (("the transform", TRANSFORM), ("the projector with its two clients", PROJECTOR))
    ]


def _peer() -> float:
    return _cost_us(PEER)


def _cost_us(program: str) -> float:
    """Return the CPU time that a program takes in a process of its own."""
    timed = f"import time\nstart = time.process_time()\n{program}\nprint(time.process_time() - start)"
    done = subprocess.run(  # noqa: S603 - this very interpreter
        [sys.executable, "-c", timed], env=ENVIRONMENT, cwd=ROOT, capture_output=True, check=True, text=True, timeout=60
    )
    return float(done.stdout) * 1e6

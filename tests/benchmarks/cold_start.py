"""The start of each Lambda, compared with boto3 and one client: the least that calls AWS. In fresh processes.

CPU time is measured from the first import on; Python's start is left out.
"""

import subprocess
import sys
from functools import partial
from pathlib import Path

from tests.benchmarks.measure import Ratio, alternate_costs

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
    note = "per start, in separate processes"
    return [
        alternate_costs(
            f"start of {name}, by boto3 and one client", partial(_cost_us, program), _peer, goal=goal, note=note
        )
        for name, program, goal in (
            ("the transform", TRANSFORM, 0.45),
            ("the projector with its two clients", PROJECTOR, 1.0),
        )
    ]


def _peer() -> float:
    return _cost_us(PEER)


def _cost_us(program: str) -> float:
    """Return the CPU time of a program in a fresh process."""
    timed_program = f"import time\nstart = time.process_time()\n{program}\nprint(time.process_time() - start)"
    result = subprocess.run(  # noqa: S603 - this interpreter
        [sys.executable, "-c", timed_program],
        env=ENVIRONMENT,
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
        timeout=60,
    )
    return float(result.stdout) * 1e6

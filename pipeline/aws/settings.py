"""What the environment says, read once where a process starts.

The only place here that knows the environment. Region, credentials and `AWS_ENDPOINT_URL` are boto3's own affair.
Names: docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html and
docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
"""

import os
import re
from collections.abc import Mapping

import msgspec

from pipeline.errors import Misuse
from pipeline.policy import DEFAULT_POLICY, Policy, parse_policy

TABLE = "MAILFOLD_TABLE"
BUCKET = "MAILFOLD_BUCKET"
POLICY = "MAILFOLD_POLICY"

TABLE_NAME = re.compile(r"[a-zA-Z0-9_.-]{3,255}", re.ASCII)
_BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII)


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Where the pipeline keeps things, and by which policy it judges.

    Attributes:
        table: `MAILFOLD_TABLE`: the suppression table's name.
        bucket: `MAILFOLD_BUCKET`: the bucket that holds the log and the quarantine.
        policy: `MAILFOLD_POLICY`: a policy as JSON (schemas/policy.json); the default one where unset.
    """

    table: str
    bucket: str
    policy: Policy = DEFAULT_POLICY


def read_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Return what the environment says.

    Args:
        environment: None: this process's own.

    Raises:
        Misuse: Something is missing or wrong; its text names every problem there is, not only the first.
    """
    environment = os.environ if environment is None else environment
    problems: list[str] = []
    table = _name(environment, TABLE, TABLE_NAME, "the suppression table", problems)
    bucket = _name(environment, BUCKET, _BUCKET_NAME, "the bucket of log and quarantine", problems)
    policy = _policy(environment, problems)
    if problems:
        raise Misuse("; ".join(problems))
    return Settings(table=table, bucket=bucket, policy=policy)


def _name(
    environment: Mapping[str, str], variable: str, form: re.Pattern[str], meaning: str, problems: list[str]
) -> str:
    value = environment.get(variable, "")
    if not value:
        problems.append(f"{variable} is not set: it names {meaning}")
    elif not form.fullmatch(value):
        problems.append(f"{variable} is no name that AWS allows for {meaning}: {value!r}")
    return value


def _policy(environment: Mapping[str, str], problems: list[str]) -> Policy:
    document = environment.get(POLICY, "")
    if not document:
        return DEFAULT_POLICY
    try:
        return parse_policy(document.encode())
    except Misuse as error:
        problems.append(f"{POLICY} is {error}")
        return DEFAULT_POLICY

"""The emulator's account, its users and their clients."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import boto3
from botocore.config import Config

from pipeline.aws.clients import Service
from tests.acceptance.emulators.ministack import REGION, ROOT_KEY, Ministack, running

Credentials = Mapping[str, str]
"""Credentials as environment variables of boto3."""
Statement = Mapping[str, Any]
"""A statement of a policy."""

NOTHING = {"Effect": "Deny", "Action": "*", "Resource": "*"}  # a policy needs at least one statement
EVERYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}


class Account:
    """An account that has only a root user at first.

    Args:
        ministack: The emulator.
    """

    def __init__(self, ministack: Ministack) -> None:
        self.ministack = ministack
        self._clients: dict[tuple[str, str], Any] = {}

    @cached_property
    def operator(self) -> Credentials:
        """Credentials of a user with all permissions. Explicit denials apply to this user too."""
        return self.user("operator", [EVERYTHING])

    def environment(self) -> dict[str, str]:
        """Return the environment in which a command acts as the operator."""
        return self.ministack.environment(self.operator)

    def client(self, service: Service, credentials: Credentials | None = None) -> Any:
        """Return a boto3 client of a service.

        Args:
            service: Its name in boto3.
            credentials: Credentials. None: the operator's.
        """
        credentials = credentials or self.operator
        key = (service, credentials["AWS_ACCESS_KEY_ID"])
        if key not in self._clients:
            self._clients[key] = _client(self.ministack, service, credentials)
        return self._clients[key]

    def user(self, name: str, statements: Iterable[Statement]) -> Credentials:
        """Create a user with these permissions, and return its credentials."""
        iam = self.client("iam", ROOT_KEY)
        iam.create_user(UserName=name)
        self.allow(name, statements)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}

    def allow(self, name: str, statements: Iterable[Statement]) -> None:
        """Replace the permissions of a user."""
        document = json.dumps({"Version": "2012-10-17", "Statement": list(statements) or [NOTHING]})
        self.client("iam", ROOT_KEY).put_user_policy(UserName=name, PolicyName="allowed", PolicyDocument=document)

    def close(self) -> None:
        """Close all connections."""
        for client in self._clients.values():
            client.close()


@contextmanager
def guarded_account() -> Iterator[Account]:
    """Run an emulator that enforces policies, and yield its account."""
    with running(guarded=True) as ministack:
        account = Account(ministack)
        yield account
        account.close()


def _client(ministack: Ministack, service: Service, credentials: Credentials) -> Any:
    return boto3.Session().client(
        service,
        endpoint_url=ministack.endpoint_url,
        region_name=REGION,
        aws_access_key_id=credentials["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=credentials["AWS_SECRET_ACCESS_KEY"],
        verify=str(ministack.certificate),
        config=Config(retries={"total_max_attempts": 1}, read_timeout=60),  # failures must be visible
    )

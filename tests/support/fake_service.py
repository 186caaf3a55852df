"""Fakes of AWS services behind real clients of boto3, which validate every request and run waiters."""

from collections.abc import Callable
from functools import cache
from types import SimpleNamespace
from typing import Any

from boto3.session import Session
from botocore import xform_name

REGION = "eu-west-1"
ACCOUNT = "123456789012"


class FakeService:
    """A fake service. The method `_describe_stacks` answers the operation DescribeStacks.

    Attributes:
        calls: Operations and their parameters, in order.
        interrupts: The error that the next call of an operation raises, by operation.
    """

    SERVICE: Any

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.interrupts: dict[str, BaseException] = {}
        self._parameters: dict[str, Any] = {}

    def client(self) -> Any:
        """Return a boto3 client of this service."""
        client = _session().client(self.SERVICE)
        events: Any = client.meta.events
        events.register(f"provide-client-params.{self.SERVICE}.*", self._record)
        events.register(f"before-call.{self.SERVICE}.*", self._answer)
        return client

    def operations(self) -> list[str]:
        """Return the operations that were called, in order."""
        return [name for name, _ in self.calls]

    def asked(self, operation: str) -> dict[str, Any]:
        """Return the parameters of the last call of an operation."""
        return [parameters for name, parameters in self.calls if name == operation][-1]

    def _record(self, params: dict[str, Any], **_: Any) -> None:
        self._parameters = params

    def _answer(self, model: Any, **_: Any) -> tuple[Any, dict[str, Any]]:
        operation = xform_name(model.name)
        self.calls.append((operation, self._parameters))
        if interrupt := self.interrupts.pop(operation, None):
            raise interrupt
        answer: Callable[..., dict[str, Any]] = getattr(self, f"_{operation}")
        response = answer(**self._parameters)
        return SimpleNamespace(status_code=400 if "Error" in response else 200), response


@cache
def client(service: Any, region: str = REGION) -> Any:
    """Return a client with fake credentials, for moto or a stub; the same one for every test."""
    return _session().client(service, region_name=region)


@cache
def _session() -> Session:
    """Return a session with fake credentials; it reads boto3's models once."""
    return Session(aws_access_key_id="a", aws_secret_access_key="b", region_name=REGION)

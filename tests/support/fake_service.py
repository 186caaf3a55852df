"""A service of AWS that does as a test says, behind a true client of boto3, which checks every request and waits."""

from collections.abc import Callable
from functools import cache
from types import SimpleNamespace
from typing import Any

from boto3.session import Session
from botocore import xform_name

REGION = "eu-west-1"
ACCOUNT = "123456789012"


class FakeService:
    """Answers an operation by the method of its name, after an underscore: `_describe_stacks`.

    Attributes:
        calls: Operations and what they were asked, in order.
        interrupts: By operation, what its next call raises.
    """

    SERVICE: Any

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.interrupts: dict[str, BaseException] = {}
        self._asked: dict[str, Any] = {}

    def client(self) -> Any:
        """Return a client of boto3 that it answers."""
        client = _session().client(self.SERVICE)
        events: Any = client.meta.events
        events.register(f"provide-client-params.{self.SERVICE}.*", self._note)
        events.register(f"before-call.{self.SERVICE}.*", self._answer)
        return client

    def operations(self) -> list[str]:
        """Return the operations that were called, in order."""
        return [name for name, _ in self.calls]

    def asked(self, operation: str) -> dict[str, Any]:
        """Return what the last call of an operation asked."""
        return [asked for name, asked in self.calls if name == operation][-1]

    def _note(self, params: dict[str, Any], **_: Any) -> None:
        self._asked = params

    def _answer(self, model: Any, **_: Any) -> tuple[Any, dict[str, Any]]:
        operation = xform_name(model.name)
        self.calls.append((operation, self._asked))
        if interrupt := self.interrupts.pop(operation, None):
            raise interrupt
        answer: Callable[..., dict[str, Any]] = getattr(self, f"_{operation}")
        answered = answer(**self._asked)
        return SimpleNamespace(status_code=400 if "Error" in answered else 200), answered


@cache
def client(service: Any, region: str = REGION) -> Any:
    """Return a client of made-up credentials, for moto or a stub; one is enough, whatever is behind it."""
    return _session().client(service, region_name=region)


@cache
def _session() -> Session:
    """Return a session of made-up credentials; it reads boto3's models once."""
    return Session(aws_access_key_id="a", aws_secret_access_key="b", region_name=REGION)

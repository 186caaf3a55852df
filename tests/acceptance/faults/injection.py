"""Faults at the boundary of a process to AWS, drawn from a seed: before a call, or after it took effect."""

import errno
from collections import Counter
from collections.abc import Callable, Mapping
from random import Random
from typing import Any, TypeVar

from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError

T = TypeVar("T")

Answer = tuple[AWSResponse, Mapping[str, Any]]


class Killed(BaseException):
    """The process ends here. No handler of an exception may notice."""


def _refused(code: str) -> Callable[[], Answer]:
    error = {"Error": {"Code": code, "Message": "made up"}, "ResponseMetadata": {"HTTPStatusCode": 400}}
    return lambda: (AWSResponse("", 400, HTTPHeaders(), None), error)


def _raised(make: Callable[[], BaseException]) -> Callable[[], Answer]:
    def fail() -> Answer:
        raise make()

    return fail


BY_AWS: Mapping[str, Callable[[], Answer]] = {
    "throttled": _refused("ThrottlingException"),
    "provisioned throughput exceeded": _refused("ProvisionedThroughputExceededException"),
    "internal error": _refused("InternalServerError"),
    "expired credentials": _refused("ExpiredTokenException"),
    "unreachable": _raised(lambda: EndpointConnectionError(endpoint_url="https://made-up")),
}
"""What AWS does instead of taking a call."""

BY_THE_MACHINE: Mapping[str, Callable[[], Answer]] = {
    "full disk": _raised(lambda: OSError(errno.ENOSPC, "No space left on device")),
    "no memory": _raised(MemoryError),
    "killed": _raised(Killed),
}
"""What happens to the process that makes a call."""


class Faults:
    """Injects faults into calls while it is active.

    Args:
        random: Source of all choices.
        rate: Share of calls that fail before they are made, and of the others the share that fails after its effect.

    Attributes:
        is_active: Whether calls fail.
        injected: Number of faults by name.
    """

    def __init__(self, random: Random, *, rate: float) -> None:
        self.is_active = True
        self.injected: Counter[str] = Counter()
        self._random, self._rate = random, rate

    def attach(self, client: Any, *kinds: Mapping[str, Callable[[], Answer]]) -> Any:
        """Let calls of a boto3 client fail so, and return the client."""
        faults = {name: fault for kind in kinds for name, fault in kind.items()}

        def before(**_: Any) -> Answer | None:
            if not self.draw():
                return None
            return faults[self._inject(self._random.choice(sorted(faults)))]()

        def after(**_: Any) -> None:
            if self.draw():
                self._inject("timed out after the effect")
                raise ReadTimeoutError(endpoint_url="https://made-up")

        client.meta.events.register_first("before-call", before)
        client.meta.events.register("after-call", after)
        return client

    def around(self, function: Callable[[dict[str, Any]], T], *, name: str) -> Callable[[dict[str, Any]], T]:
        """Return a Lambda function that may be killed on the way, or whose response may be lost."""

        def call(event: dict[str, Any]) -> T:
            try:
                response = function(event)
            except Killed as killed:
                raise RuntimeError(f"{name} was killed") from killed
            if self.draw():
                self._inject(f"the response of {name} is lost")
                raise TimeoutError
            return response

        return call

    def jump(self, *seconds: float) -> float:
        """Return by how much a clock is wrong now."""
        if not self.draw():
            return 0.0
        self._inject("clock jumped")
        return self._random.choice(seconds)

    def draw(self) -> bool:
        """Return whether a fault happens."""
        return self.is_active and self._random.random() < self._rate

    def _inject(self, name: str) -> str:
        self.injected[name] += 1
        return name

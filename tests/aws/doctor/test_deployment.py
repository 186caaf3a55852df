"""Tests of the deployment that is checked."""

from collections.abc import Callable

from pipeline.aws.clients import Clients
from pipeline.aws.doctor.deployment import connect_deployment
from pipeline.aws.stack import Stack

STACK = Stack(
    name="mail",
    id="arn:aws:cloudformation:eu-west-1:123456789012:stack/mail/6b2d",
    status="CREATE_COMPLETE",
    parameters={},
    outputs={},
)


class FakeEvents:
    """The hooks of a client."""

    def __init__(self) -> None:
        self.hooks: dict[str, Callable[..., None]] = {}

    def register(self, event: str, hook: Callable[..., None]) -> None:
        self.hooks[event] = hook


class FakeClient:
    """A client of which only the hooks exist."""

    def __init__(self) -> None:
        self.meta = self
        self.events = FakeEvents()


def test_ses_is_called_at_most_once_a_second() -> None:
    """The limit holds across checks, and the time that a slow response takes counts."""
    waits: list[float] = []
    now_seconds = 100.0

    def wait(seconds: float) -> None:
        nonlocal now_seconds
        waits.append(seconds)
        now_seconds += seconds

    fakes = {"sesv2": FakeClient(), "s3": FakeClient()}
    connect_deployment(STACK, Clients(fakes.__getitem__), clock=lambda: now_seconds, wait=wait)
    call = fakes["sesv2"].events.hooks["before-call.sesv2"]
    call()
    call()
    now_seconds += 0.25
    call()
    now_seconds += 5
    call()
    assert waits == [1.0, 0.75]
    assert fakes["s3"].events.hooks == {}

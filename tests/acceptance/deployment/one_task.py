"""The template with the consumer in a container, as the emulator takes it."""

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import pytest

from pipeline.aws.deployment import deploy
from pipeline.aws.deployment.template import load_template

OF_PARAMETER, ONE = "DesiredCount: !Ref ConsumerTasks", "DesiredCount: 1"


@contextmanager
def one_task() -> Iterator[None]:
    """Let what is deployed meanwhile ask for one task in so many words.

    The emulator cannot count where a parameter, which is a text, says how many. It runs no container, and takes every
    task for one that runs.
    """
    assert load_template().text.count(OF_PARAMETER) == 1
    changed = msgspec.structs.replace(load_template(), text=load_template().text.replace(OF_PARAMETER, ONE))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(deploy, "load_template", lambda: changed)
        yield

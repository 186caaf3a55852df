"""The template with a consumer in a container, in the form that the emulator accepts."""

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import pytest

from pipeline.aws.deployment import deploy
from pipeline.aws.deployment.template import load_template

OF_PARAMETER, ONE = "DesiredCount: !Ref ConsumerTasks", "DesiredCount: 1"


@contextmanager
def one_task() -> Iterator[None]:
    """Replace the number of tasks in the template with a literal.

    The emulator does not convert a parameter, which is a string, to a number. It runs no container, and reports every
    task as running.
    """
    assert load_template().text.count(OF_PARAMETER) == 1
    changed = msgspec.structs.replace(load_template(), text=load_template().text.replace(OF_PARAMETER, ONE))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(deploy, "load_template", lambda: changed)
        yield

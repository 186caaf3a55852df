"""Feedback as EventBridge puts it into the stream: a bounce and a complaint of each of many people."""

from collections.abc import Iterator
from itertools import count
from typing import Any

from tests.support.builders import a_bounce, a_complaint, in_eventbridge

_numbers = count()


def feedback(people: int) -> list[bytes]:
    """Return two records for each of so many people who were never heard of before."""
    return [record for _ in range(people) for record in _of_a_person()]


def _of_a_person() -> Iterator[bytes]:
    number = next(_numbers)
    named: dict[str, Any] = {"recipients": [f"person.{number}@example.com"], "messageId": f"m-{number}"}
    yield in_eventbridge(a_bounce(**named, feedback_id=f"bounce-{number}"))
    yield in_eventbridge(a_complaint(**named, feedback_id=f"complaint-{number}"), detail_type="Email Complaint")

"""SES asked no faster than it answers: one call a second, but for sending.

docs.aws.amazon.com/ses/latest/dg/quotas.html
"""

import time
from collections.abc import Callable
from math import inf
from typing import Any

SES_SECONDS = 1.0


def keep_pace(
    client: Any, *, clock: Callable[[], float] = time.monotonic, wait: Callable[[float], None] = time.sleep
) -> None:
    """Have a client of SES's second API wait before each call until SES answers again.

    Args:
        client: boto3's `sesv2`.
        clock: Seconds from some moment on.
        wait: Waits so many seconds.
    """
    asked_at = [-inf]

    def pace(**_: Any) -> None:
        wait_seconds = asked_at[0] + SES_SECONDS - clock()
        if wait_seconds > 0:
            wait(wait_seconds)
        asked_at[0] = clock()

    client.meta.events.register("before-call.sesv2", pace)

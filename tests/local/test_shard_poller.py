"""The poller of a shard waits after failures; what it does with batches is tested through the mapping."""

from itertools import islice

import pytest

from pipeline.local.event_source_mapping.shard_poller import MAX_RETRY_AFTER_SECONDS, RetryPolicy


def test_the_wait_doubles_up_to_a_limit() -> None:
    """Waits after failures in a row double, less a random part, up to 30 s."""
    policy = RetryPolicy(bisect=True, maximum_retry_attempts=10_000, retry_after_seconds=0.5)
    longest_seconds = [0.5, 1, 2, 4, 8, 16, MAX_RETRY_AFTER_SECONDS, MAX_RETRY_AFTER_SECONDS]
    for wait_seconds, limit_seconds in zip(islice(policy.waits_seconds(), 8), longest_seconds, strict=True):
        assert wait_seconds == pytest.approx(0.75 * limit_seconds, abs=0.25 * limit_seconds)

"""A surge is an hour in which an unusual share of a domain's mail bounced; the command that reverts it is named."""

from datetime import timedelta

import pytest

from pipeline.surge import BounceCount, Surge, SurgeRule, find_surges
from tests.support.builders import SENT_AT

RULE = SurgeRule(share=0.3, bounces=100)


def a_count(
    status: str = "5.1.1", bounces: int = 100, *, of: int | None = None, sends: int = 200, hour: int = 0
) -> BounceCount:
    """Return a count; `of` is the number of all bounces of the hour."""
    return BounceCount(
        hour=SENT_AT + timedelta(hours=hour),
        domain="example.com",
        status=status,
        bounces=bounces,
        hour_bounces=of or bounces,
        hour_sends=sends,
    )


def a_surge(statuses: dict[str, int], *, sends: int = 1_000) -> Surge:
    return Surge(hour=SENT_AT, domain="example.com", bounces=sum(statuses.values()), sends=sends, statuses=statuses)


@pytest.mark.parametrize(
    ("count", "is_surge"),
    [
        (a_count(bounces=100, sends=200), True),
        (a_count(bounces=99, sends=100), False),
        (a_count(bounces=100, sends=333), True),
        (a_count(bounces=300, sends=1_000), False),
        (a_count(bounces=100, sends=0), True),
    ],
    ids=["half of it", "few bounces", "a little more than the share", "the share", "sent in another hour"],
)
def test_a_surge_has_more_than_the_share_and_enough_bounces(count: BounceCount, is_surge: bool) -> None:
    """Both bounds are the operator's."""
    assert bool(find_surges([count], RULE)) == is_surge


def test_the_statuses_of_an_hour_are_one_surge() -> None:
    """The most frequent first, and the largest surge first."""
    counts = [
        a_count("5.1.1", 60, of=150),
        a_count("5.7.1", 90, of=150),
        a_count("5.1.1", 160, of=160, hour=1),
    ]
    second, first = find_surges(counts, RULE)

    assert (first.bounces, first.sends, list(first.statuses.items())) == (150, 200, [("5.7.1", 90), ("5.1.1", 60)])
    assert (second.bounces, second.hour) == (160, SENT_AT + timedelta(hours=1))


@pytest.mark.parametrize(("sends", "share"), [(1_000, 0.1), (50, 1.0), (0, 1.0)])
def test_the_share_is_at_most_one(sends: int, share: float) -> None:
    """Mail of the hour before may bounce in this one."""
    assert a_surge({"5.1.1": 100}, sends=sends).share == share


@pytest.mark.parametrize(
    ("statuses", "pattern"),
    [
        ({"5.1.1": 100}, "5.1.1"),
        ({"5.1.1": 95, "": 5}, "5.1.1"),
        ({"5.7.1": 60, "5.7.26": 40}, "5.7.*"),
        ({"5.7.1": 60, "5.1.1": 40}, ""),
        ({"": 100}, ""),
        ({"": 60, "5.1.1": 40}, ""),
        ({"odd": 60, "5.1.1": 40}, ""),
    ],
)
def test_the_command_names_the_status_that_the_bounces_share(statuses: dict[str, int], pattern: str) -> None:
    """So that it reverts no bounce of another cause; without one, all of the hour."""
    assert a_surge(statuses).status_pattern == pattern


def test_the_command_is_exact() -> None:
    """It reverts this hour, this domain and this status."""
    assert " ".join(a_surge({"5.7.1": 60, "5.7.26": 40}).revert_arguments) == (
        "revert --since 2026-03-01T12:00:00Z --until 2026-03-01T13:00:00Z --domain example.com --status 5.7.*"
    )
    assert "--status" not in a_surge({"": 100}).revert_arguments

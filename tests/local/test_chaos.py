"""Chaos repeats, reorders and holds back; it loses only on the feedback's path; it counts what it does."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import UsageError
from pipeline.local.traffic.chaos import Chaos, FaultCounts

EVENTS = [b'{"event":%d}\n' % number for number in range(400)]
CALM = {"repeat": 0.0, "reorder": 0.0, "delay": 0.0, "drop": 0.0}
batches = st.lists(st.lists(st.sampled_from(EVENTS), max_size=8), max_size=6)
shares = st.floats(0, 1)


def a_chaos(**shares: float) -> Chaos:
    """Return a chaos that does these things only."""
    return Chaos(seed=1, **(CALM | shares))


@settings(deadline=None)
@given(batches, st.builds(Chaos, seed=st.integers(), repeat=shares, reorder=shares, delay=shares, drop=shares))
def test_the_archive_gets_every_event_in_the_end(sent: list[list[bytes]], chaos: Chaos) -> None:
    arrived = Counter(event for batch in sent for event in chaos.archive(batch))
    arrived.update(chaos.release().archive)
    wanted = Counter(event for batch in sent for event in batch)
    assert wanted <= arrived
    assert set(wanted) == set(arrived)
    assert chaos.archive_faults.repeated == arrived.total() - wanted.total()
    assert chaos.archive_faults.dropped == 0


@settings(deadline=None)
@given(batches, st.builds(Chaos, seed=st.integers(), repeat=st.just(0.0), delay=shares, drop=shares))
def test_the_feedback_loses_only_what_was_counted_as_dropped(sent: list[list[bytes]], chaos: Chaos) -> None:
    arrived = Counter(event for batch in sent for event in chaos.feedback(batch))
    arrived.update(chaos.release().feedback)
    wanted = Counter(event for batch in sent for event in batch)
    assert arrived <= wanted
    assert chaos.feedback_faults.dropped == wanted.total() - arrived.total()


def test_without_any_share_nothing_happens() -> None:
    chaos = a_chaos()
    assert chaos.archive(EVENTS) == EVENTS == chaos.feedback(EVENTS)
    assert chaos.archive_faults == FaultCounts() == chaos.feedback_faults


def test_repeats_are_extra_copies_eight_in_all_at_most() -> None:
    chaos = a_chaos(repeat=1)
    copies = Counter(chaos.archive(EVENTS))
    assert set(copies.values()) == set(range(2, 9))
    assert copies.total() == len(EVENTS) + chaos.archive_faults.repeated


def test_reordering_moves_events_and_keeps_them() -> None:
    chaos = a_chaos(reorder=0.5)
    arrived = chaos.archive(EVENTS)
    assert sorted(arrived) == sorted(EVENTS)
    assert chaos.archive_faults.reordered == sum(a != b for a, b in zip(arrived, EVENTS, strict=True)) > 0


def test_what_is_held_back_comes_with_a_later_call() -> None:
    chaos = a_chaos(delay=0.5)
    now = chaos.archive(EVENTS)
    later = chaos.archive([])
    assert 0 < len(now) < len(EVENTS)
    assert later
    assert sorted(now + later + chaos.release().archive) == sorted(EVENTS)
    assert chaos.archive_faults.delayed >= len(EVENTS) - len(now)


def test_what_is_held_back_for_ever_is_the_rest_once() -> None:
    chaos = a_chaos(delay=1)
    assert chaos.archive(EVENTS) == [] == chaos.feedback(EVENTS[:3])
    assert chaos.release() == (EVENTS, EVENTS[:3])
    assert chaos.release() == ([], [])


def test_the_two_paths_do_not_mix() -> None:
    chaos = a_chaos(delay=0.5)
    archived = chaos.archive(EVENTS[:200])
    fed_back = chaos.feedback(EVENTS[200:])
    rest = chaos.release()
    assert set(archived + rest.archive) == set(EVENTS[:200])
    assert set(fed_back + rest.feedback) == set(EVENTS[200:])


def test_everything_can_be_dropped_on_the_feedback_and_nothing_on_the_archive() -> None:
    chaos = a_chaos(drop=1)
    assert chaos.feedback(EVENTS) == []
    assert chaos.archive(EVENTS) == EVENTS


def test_the_same_seed_does_the_same() -> None:
    one, same, other = (Chaos(seed=seed) for seed in (5, 5, 6))
    assert one.archive(EVENTS) == same.archive(EVENTS) != other.archive(EVENTS)
    assert one.feedback(EVENTS) == same.feedback(EVENTS)
    assert one.release() == same.release()


@pytest.mark.parametrize("share", ["repeat", "reorder", "delay", "drop"])
@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_a_share_outside_0_and_1_is_refused_by_name(share: str, value: float) -> None:
    with pytest.raises(UsageError, match=f"{share} is a share of events"):
        a_chaos(**{share: value})

"""Chaos repeats, reorders and holds back events; it loses them on the feedback's path only; it counts all faults."""

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
    """Return a chaos with these faults only."""
    return Chaos(seed=1, **(CALM | shares))


@settings(deadline=None)
@given(batches, st.builds(Chaos, seed=st.integers(), repeat=shares, reorder=shares, delay=shares, drop=shares))
def test_the_archive_gets_each_event_in_the_end(sent: list[list[bytes]], chaos: Chaos) -> None:
    """Whatever is repeated, reordered or held back, the archive's path loses nothing."""
    arrived = Counter(event for batch in sent for event in chaos.archive(batch))
    arrived.update(chaos.release().archive)
    expected = Counter(event for batch in sent for event in batch)
    assert expected <= arrived
    assert set(expected) == set(arrived)
    assert chaos.archive_faults.repeated == arrived.total() - expected.total()
    assert chaos.archive_faults.dropped == 0


@settings(deadline=None)
@given(batches, st.builds(Chaos, seed=st.integers(), repeat=st.just(0.0), delay=shares, drop=shares))
def test_the_feedback_loses_only_dropped_events(sent: list[list[bytes]], chaos: Chaos) -> None:
    """The number of events missing from the feedback is the number counted as dropped."""
    arrived = Counter(event for batch in sent for event in chaos.feedback(batch))
    arrived.update(chaos.release().feedback)
    expected = Counter(event for batch in sent for event in batch)
    assert arrived <= expected
    assert chaos.feedback_faults.dropped == expected.total() - arrived.total()


def test_without_any_share_nothing_happens() -> None:
    """Events pass unchanged, and no fault is counted."""
    chaos = a_chaos()
    assert chaos.archive(EVENTS) == EVENTS == chaos.feedback(EVENTS)
    assert chaos.archive_faults == FaultCounts() == chaos.feedback_faults


def test_an_event_has_at_most_eight_copies() -> None:
    """Repeated events have two to eight copies, and the extra ones are counted."""
    chaos = a_chaos(repeat=1)
    copies = Counter(chaos.archive(EVENTS))
    assert set(copies.values()) == set(range(2, 9))
    assert copies.total() == len(EVENTS) + chaos.archive_faults.repeated


def test_reordering_keeps_all_events() -> None:
    """Events change places, none is lost, and each move is counted."""
    chaos = a_chaos(reorder=0.5)
    arrived = chaos.archive(EVENTS)
    assert sorted(arrived) == sorted(EVENTS)
    assert chaos.archive_faults.reordered == sum(a != b for a, b in zip(arrived, EVENTS, strict=True)) > 0


def test_events_held_back_come_with_a_later_call() -> None:
    """A later call returns some of the events held back, and release returns the rest."""
    chaos = a_chaos(delay=0.5)
    now = chaos.archive(EVENTS)
    later = chaos.archive([])
    assert 0 < len(now) < len(EVENTS)
    assert later
    assert sorted(now + later + chaos.release().archive) == sorted(EVENTS)
    assert chaos.archive_faults.delayed >= len(EVENTS) - len(now)


def test_release_returns_held_events_once() -> None:
    """Release returns all events held back, and the next one returns none."""
    chaos = a_chaos(delay=1)
    assert chaos.archive(EVENTS) == [] == chaos.feedback(EVENTS[:3])
    assert chaos.release() == (EVENTS, EVENTS[:3])
    assert chaos.release() == ([], [])


def test_the_two_paths_do_not_mix() -> None:
    """Events held back on one path come out on that path."""
    chaos = a_chaos(delay=0.5)
    archived = chaos.archive(EVENTS[:200])
    fed_back = chaos.feedback(EVENTS[200:])
    rest = chaos.release()
    assert set(archived + rest.archive) == set(EVENTS[:200])
    assert set(fed_back + rest.feedback) == set(EVENTS[200:])


def test_only_the_feedback_drops_events() -> None:
    """With a share of 1, the feedback gets nothing and the archive everything."""
    chaos = a_chaos(drop=1)
    assert chaos.feedback(EVENTS) == []
    assert chaos.archive(EVENTS) == EVENTS


def test_the_same_seed_has_the_same_effect() -> None:
    """Two instances with the same seed are equal, and another seed differs."""
    first, same, other = (Chaos(seed=seed) for seed in (5, 5, 6))
    assert first.archive(EVENTS) == same.archive(EVENTS) != other.archive(EVENTS)
    assert first.feedback(EVENTS) == same.feedback(EVENTS)
    assert first.release() == same.release()


@pytest.mark.parametrize("share", ["repeat", "reorder", "delay", "drop"])
@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_a_share_outside_0_to_1_is_rejected_by_name(share: str, value: float) -> None:
    """An invalid share is a usage error that names the option."""
    with pytest.raises(UsageError, match=f"{share} is a share of events"):
        a_chaos(**{share: value})

"""Measure two ways of doing the same work side by side: A B, B A, A B … in one process, by CPU time.

The ratio of a round is that of two neighbours in time, so that a busy machine slows both; the median of the rounds is
what counts, and the lowest and the highest say how far to trust it. Absolute times are this machine's only.
"""

import gc
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from statistics import median

import msgspec


class Ratio(msgspec.Struct, frozen=True, kw_only=True):
    """What a comparison showed.

    Attributes:
        name: What was compared with what.
        ours_us: CPU time of ours per unit of work, in microseconds; the median of the rounds.
        peer_us: The same of the peer.
        ratio: The median over the rounds of what the goal is about: ours by peer's time, or the reverse.
        low: The lowest round's ratio.
        high: The highest round's ratio.
        goal: What the ratio must reach.
        at_most: True: the ratio is ours by the peer's, and must not be above the goal. False: it is how many times
            cheaper ours is, and must not be below the goal.
        note: What else was seen, and what a unit of work is.
    """

    name: str
    ours_us: float
    peer_us: float
    ratio: float
    low: float
    high: float
    goal: float
    at_most: bool = True
    note: str = ""

    @property
    def reached(self) -> bool:
        """Tell whether the goal is reached."""
        return self.ratio <= self.goal if self.at_most else self.ratio >= self.goal


def alternate(
    name: str,
    ours: Callable[[], int],
    peer: Callable[[], int],
    *,
    goal: float,
    rounds: int = 7,
    at_most: bool = True,
    note: str = "",
) -> Ratio:
    """Run both in turn, whoever is first changing each round, and compare their CPU time per unit of work.

    Args:
        name: What is compared with what.
        ours: Does the work, and returns how many units of it were done.
        peer: The same, in the other way.
        goal: What the ratio must reach.
        rounds: How many, after one that is not counted: caches fill, and modules load.
        at_most: Whether the goal is an upper bound on ours by peer, or a lower one on peer by ours.
        note: Goes into the answer.
    """
    (ratio,) = against({name: ours}, peer, goal=goal, rounds=rounds, at_most=at_most)
    return msgspec.structs.replace(ratio, note=note)


def against(
    ways: Mapping[str, Callable[[], int]],
    peer: Callable[[], int],
    *,
    goal: float,
    rounds: int = 7,
    at_most: bool = True,
) -> list[Ratio]:
    """Compare several ways, by name, with one peer that runs once a round. See `alternate`."""
    costs = _rounds([partial(_cost_us, work) for work in (*ways.values(), peer)], rounds)
    return [
        _ratio(name, [(cost[number], cost[-1]) for cost in costs], goal=goal, at_most=at_most)
        for number, name in enumerate(ways)
    ]


def alternate_costs(
    name: str, ours: Callable[[], float], peer: Callable[[], float], *, goal: float, rounds: int = 15, note: str = ""
) -> Ratio:
    """Compare two that measure their own cost, in microseconds, for they run elsewhere. See `alternate`."""
    ratio = _ratio(name, [(our, their) for our, their in _rounds([ours, peer], rounds)], goal=goal, at_most=True)
    return msgspec.structs.replace(ratio, note=note)


def _rounds(costs: Sequence[Callable[[], float]], rounds: int) -> list[list[float]]:
    """Return what each costs in each round, after one round that is not counted."""
    for cost in costs:
        cost()
    return [_round(costs, first=number) for number in range(rounds)]


def _round(costs: Sequence[Callable[[], float]], *, first: int) -> list[float]:
    """Return what each costs, in order, having begun with another one than the round before."""
    order = [(first + number) % len(costs) for number in range(len(costs))]
    measured = {number: costs[number]() for number in order}
    return [measured[number] for number in range(len(costs))]


def _ratio(name: str, costs: Sequence[tuple[float, float]], *, goal: float, at_most: bool) -> Ratio:
    ratios = [our / their if at_most else their / our for our, their in costs]
    return Ratio(
        name=name,
        ours_us=median(our for our, _ in costs),
        peer_us=median(their for _, their in costs),
        ratio=median(ratios),
        low=min(ratios),
        high=max(ratios),
        goal=goal,
        at_most=at_most,
    )


def _cost_us(work: Callable[[], int]) -> float:
    """Return CPU time per unit of work; the garbage of what ran before is not charged to it."""
    gc.collect()
    start = time.process_time()
    units = work()
    return (time.process_time() - start) / units * 1e6

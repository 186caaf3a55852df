"""Compare the CPU time of Mailfold and a peer at the same work: A B, B A, A B … in one process.

Both runs of a round are neighbours in time, so a busy machine slows both. The result is the median of the rounds'
ratios; the lowest and the highest show its reliability. Absolute times are valid only for this machine.
"""

import gc
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from statistics import median

import msgspec


class Ratio(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a comparison.

    Attributes:
        name: What is compared with what.
        mailfold_us: Mailfold's CPU time per unit of work, in microseconds; the median of the rounds.
        peer_us: The same of the peer.
        ratio: The median of the rounds' ratios: Mailfold's time by the peer's, or the reverse; see `at_most`.
        low: The lowest round's ratio.
        high: The highest round's ratio.
        goal: The ratio to reach.
        at_most: True if the ratio is Mailfold's time by the peer's, and the goal its upper limit. False if it is the
            peer's time by Mailfold's, and the goal its lower limit.
        note: The unit of work, and further results.
    """

    name: str
    mailfold_us: float
    peer_us: float
    ratio: float
    low: float
    high: float
    goal: float
    at_most: bool = True
    note: str = ""

    @property
    def reached(self) -> bool:
        """Whether the goal is reached."""
        return self.ratio <= self.goal if self.at_most else self.ratio >= self.goal


def alternate(
    name: str,
    mailfold: Callable[[], int],
    peer: Callable[[], int],
    *,
    goal: float,
    rounds: int = 7,
    at_most: bool = True,
    note: str = "",
) -> Ratio:
    """Run both in turn, the first one alternating, and compare their CPU time per unit of work.

    Args:
        name: What is compared with what.
        mailfold: Does the work, and returns the number of units done.
        peer: Does the same work in another way.
        goal: The ratio to reach.
        rounds: Number of rounds after a first one that is not counted, in which caches fill and modules load.
        at_most: See `Ratio`.
        note: See `Ratio`.
    """
    (ratio,) = against({name: mailfold}, peer, goal=goal, rounds=rounds, at_most=at_most)
    return msgspec.structs.replace(ratio, note=note)


def against(
    ways: Mapping[str, Callable[[], int]],
    peer: Callable[[], int],
    *,
    goal: float,
    rounds: int = 7,
    at_most: bool = True,
) -> list[Ratio]:
    """Compare several ways of Mailfold's, by name, with one peer, which runs once a round. See `alternate`."""
    costs = _rounds([partial(_cost_us, work) for work in (*ways.values(), peer)], rounds)
    return [
        _ratio(name, [(cost[number], cost[-1]) for cost in costs], goal=goal, at_most=at_most)
        for number, name in enumerate(ways)
    ]


def alternate_costs(
    name: str,
    mailfold: Callable[[], float],
    peer: Callable[[], float],
    *,
    goal: float,
    rounds: int = 15,
    note: str = "",
) -> Ratio:
    """Compare two functions that return their cost in microseconds, measured elsewhere. See `alternate`."""
    ratio = _ratio(
        name,
        [(mailfold_us, peer_us) for mailfold_us, peer_us in _rounds([mailfold, peer], rounds)],
        goal=goal,
        at_most=True,
    )
    return msgspec.structs.replace(ratio, note=note)


def _rounds(costs: Sequence[Callable[[], float]], rounds: int) -> list[list[float]]:
    """Return the costs in each round, after one round that is not counted."""
    for cost in costs:
        cost()
    return [_round(costs, first=number) for number in range(rounds)]


def _round(costs: Sequence[Callable[[], float]], *, first: int) -> list[float]:
    """Return the costs in order. Each round begins with another function than the one before."""
    order = [(first + number) % len(costs) for number in range(len(costs))]
    measured = {number: costs[number]() for number in order}
    return [measured[number] for number in range(len(costs))]


def _ratio(name: str, costs: Sequence[tuple[float, float]], *, goal: float, at_most: bool) -> Ratio:
    ratios = [mailfold / peer if at_most else peer / mailfold for mailfold, peer in costs]
    return Ratio(
        name=name,
        mailfold_us=median(mailfold for mailfold, _ in costs),
        peer_us=median(peer for _, peer in costs),
        ratio=median(ratios),
        low=min(ratios),
        high=max(ratios),
        goal=goal,
        at_most=at_most,
    )


def _cost_us(work: Callable[[], int]) -> float:
    """Return CPU time per unit of work, without the garbage collection of earlier work."""
    gc.collect()
    start = time.process_time()
    units = work()
    return (time.process_time() - start) / units * 1e6

"""Random histories of feedback and decisions: order, split and repetition change no byte, and bounds change no verdict.

The seed makes every run the same. `make test-full` runs as many histories as the marks say.
"""

from collections.abc import Iterator
from datetime import timedelta
from functools import reduce
from random import Random
from typing import Any

import msgspec
import pytest

from pipeline.batch import group_by_key
from pipeline.decision import wall_time
from pipeline.decode import decode
from pipeline.digest import digest
from pipeline.event import Event
from pipeline.fact import Fact, facts
from pipeline.policy import DEFAULT_POLICY, Policy, SoftRule, verdict
from pipeline.standing import Evidence, FactKind, Key, Standing, facts_json, join
from pipeline.timestamp import from_ms, to_ms
from tests.support import model
from tests.support.builders import ADA, BOB, SENT_AT, a_bounce, a_complaint, a_decision, a_soft_bounce

MANY = [2_000, pytest.param(100_000, marks=pytest.mark.long)]
PEOPLE = (ADA, BOB, "Carol <carol@example.org>")
SOFT = {"mails": 3, "window_seconds": 86_400, "expiry_seconds": 31 * 86_400}
POLICIES: list[tuple[Policy, dict[str, Any] | None]] = [
    (DEFAULT_POLICY, None),
    (Policy(soft=SoftRule(exempt=(), **SOFT)), SOFT),
]


def a_history(random: Random) -> list[bytes]:
    """Return events and decisions about three people, with duplicates and with copies that differ in a text."""
    payloads = [_one(random) for _ in range(random.randint(1, 14))]
    return [*payloads, *random.sample(payloads, random.randint(0, len(payloads)))]


def _one(random: Random) -> bytes:
    people = random.sample(PEOPLE, random.randint(1, 2))
    name = f"f{random.randint(0, 9)}"
    common: dict[str, Any] = {
        "recipients": people if random.random() < 0.9 else [],
        "feedback_id": name,
        "at": SENT_AT + timedelta(hours=random.randint(-2, 200)),
        "messageId": f"m{random.randint(0, 30)}",
        "destination": random.choice([people, people[:1], [*PEOPLE]]),
        "tags": random.choice([{}, {"ses:tenant-name": ["acme"]}]),
    }
    copy = random.choice([{}, {"diagnosticCode": "another copy"}, {"status": "5.7.1"}, {"action": "delayed"}])
    match random.randint(0, 5):
        case 0 | 1:
            sub_type = random.choice(["General", "NoEmail", "Suppressed", "OnAccountSuppressionList", "Novel"])
            return a_bounce(sub_type=sub_type, person=copy, **common)
        case 2:
            return a_soft_bounce(**common)
        case 3:
            return a_complaint(feedback_type=random.choice(["abuse", "abuse", "not-spam"]), **common)
        case _:
            skew = timedelta(minutes=random.randint(-10, 10))
            return a_decision(
                action=random.choice(["suppress", "release"]),
                address=people[0],
                at=common["at"] + skew,
                decision_id=name,
                scope=random.choice(["*", "acme"]),
            )


def facts_in(payloads: list[bytes]) -> Iterator[Fact]:
    """Yield the facts of payloads, in order."""
    for payload in payloads:
        for outcome in decode(payload):
            if isinstance(outcome, Event):
                yield from facts(outcome)


def joined(parts: list[dict[Key, Standing]]) -> dict[Key, Standing]:
    """Return the standings of several batches, joined one after the other."""
    return reduce(
        lambda table, part: {
            key: join(table.get(key, Standing()), part.get(key, Standing())) for key in table.keys() | part.keys()
        },
        parts,
        {},
    )


@pytest.mark.parametrize("count", MANY)
def test_order_split_and_repetition_change_no_byte(count: int) -> None:
    """The same history in any order, in any batches, with any repetition has the same items and the same digest."""
    for seed in range(count):
        random = Random(seed)  # noqa: S311 - a test's seed
        stated = list(facts_in(a_history(random)))
        expected = group_by_key(stated)
        shuffled = random.sample(stated, len(stated)) + random.choices(stated, k=len(stated) and 3)
        cuts = sorted(random.randint(0, len(shuffled)) for _ in range(3))
        parts = [shuffled[start:end] for start, end in zip([0, *cuts], [*cuts, len(shuffled)], strict=True)]
        table = joined([group_by_key(part) for part in parts])
        assert {key: facts_json(table[key]) for key in table} == {key: facts_json(expected[key]) for key in expected}
        assert digest(table.items()) == digest(expected.items())


@pytest.mark.parametrize("count", MANY)
def test_bounded_and_unbounded_verdicts_are_equal(count: int) -> None:
    """A model that keeps everything says the same at the time of the newest fact, and at any later time."""
    for seed in range(count):
        random = Random(seed)  # noqa: S311 - a test's seed
        stated = list(facts_in(a_history(random)))
        known = model.statements(stated)
        last_ms = max((fact.evidence.at_ms for fact in stated), default=0)
        for key, standing in group_by_key(stated).items():
            for policy, soft in POLICIES:
                now_ms = last_ms + random.choice([0, 1, 86_400_000, 13 * 86_400_000, 40 * 86_400_000])
                expected = model.is_suppressed(known[str(key.address), key.scope], now_ms=now_ms, soft=soft)
                result = verdict(standing, policy, address=key.address)
                assert result.holds_at(from_ms(now_ms)) is expected, (seed, key.scope)


@pytest.mark.parametrize(("mails", "windows"), [(2, 63), (3, 31), (5, 15), (10, 6), (20, 2), (33, 1)])
def test_the_longest_expiry_of_a_soft_rule_is_decided_by_64_mails(mails: int, windows: int) -> None:
    """Mails that come as fast as they can without reaching the rule hide the trigger only after its expiry."""
    rule = SoftRule(mails=mails, window_seconds=100, expiry_seconds=100 * windows)
    times = [0] * mails
    while len(times) < mails + 64:  # each group of `mails - 1` at once, just outside the window of the one before
        times += [times[-1] + 100_001] * (mails - 1)
    standing_facts = [
        (FactKind.SOFT, Evidence(at_ms=at_ms, event_id=f"{number:03}", message_id=f"{number:03}"))
        for number, at_ms in enumerate(times, 1)
    ]
    policy = Policy(soft=rule)
    for end in range(mails, len(standing_facts) + 1):
        kept = group_by_key(Fact(Key(_ada()), kind, evidence) for kind, evidence in standing_facts[:end])
        [standing] = kept.values()
        now = from_ms(standing_facts[end - 1][1].at_ms)
        assert verdict(standing, policy, address=_ada()).holds_at(now) is (now < from_ms(100_000 * windows))


def _ada() -> Any:
    return ADA


MINUTE_MS = 60_000


def a_world(random: Random) -> tuple[list[bytes], bool]:
    """Return events and decisions in the order of their causes, and what the last author who decided wanted.

    Authors' clocks are up to ten minutes wrong, and are corrected by the service's. Providers' clocks are a day ahead
    at times; their feedback ids are not. At times, an author is not shown what happened in the last minute.
    """
    now_ms = to_ms(SENT_AT)
    payloads: list[bytes] = []
    shown: list[tuple[int, int]] = []  # time of happening, and the newest time by the clock
    is_wanted = False
    for number in range(random.randint(3, 9)):
        now_ms += random.choice([5_001, MINUTE_MS, 60 * MINUTE_MS, 3 * 1_440 * MINUTE_MS])
        if random.random() < 0.5:
            ahead = timedelta(days=1) if random.random() < 0.2 else timedelta(0)
            feedback_id = f"0100{now_ms + random.randint(0, 2_000):012x}-0-0-{number}"
            payloads.append(a_bounce(feedback_id=feedback_id, at=from_ms(now_ms) + ahead, messageId=f"m{number}"))
            shown.append((now_ms, now_ms + 2_000))
            is_wanted = True
        else:
            is_wanted = random.random() < 0.5
            own_at = from_ms(now_ms + random.choice([0, 1_000, -4_000, -9 * MINUTE_MS, 10 * MINUTE_MS]))
            wall_ms = to_ms(wall_time(own=own_at, service=from_ms(now_ms - now_ms % 1_000)))
            seen = [clock_ms for at_ms, clock_ms in shown if random.random() < 0.99 or now_ms - at_ms > MINUTE_MS]
            clock_ms = max([wall_ms, *(seen_ms + 1 for seen_ms in seen)])
            action = "suppress" if is_wanted else "release"
            payloads.append(a_decision(action=action, decision_id=f"d{number}", at=from_ms(wall_ms), atMs=clock_ms))
            shown.append((now_ms, clock_ms))
    return payloads, is_wanted


@pytest.mark.parametrize("count", MANY)
def test_in_causal_worlds_the_last_author_gets_what_was_wanted(count: int) -> None:
    """Only worlds in which an event and a decision are seconds apart, or one is unseen, may end otherwise."""
    wrong = 0
    for seed in range(count):
        random = Random(seed)  # noqa: S311 - a test's seed
        payloads, is_wanted = a_world(random)
        standings = group_by_key(facts_in(random.sample(payloads, len(payloads))))
        [(key, standing)] = standings.items()
        wrong += verdict(standing, DEFAULT_POLICY, address=key.address).suppressed is not is_wanted
    assert wrong <= count * MOST_WRONG


MOST_WRONG = 0.001
"""The share of worlds that may end otherwise: an author's clock may be seconds ahead of the service's."""


def test_two_releases_in_any_order_never_take_each_other_back() -> None:
    """The later by the clock counts, whatever either of them was shown."""
    bounce = a_bounce(at=SENT_AT + timedelta(days=30), feedback_id="f")
    clocks_ms = [to_ms(SENT_AT + timedelta(days=days)) for days in (31, 2)]
    releases = [a_decision(action="release", decision_id=f"r{clock_ms}", atMs=clock_ms) for clock_ms in clocks_ms]
    for order in ([0, 1, 2], [2, 1, 0], [1, 0, 2], [1, 2, 0]):
        payloads = [[bounce, *releases][index] for index in order]
        [(key, standing)] = group_by_key(facts_in(payloads)).items()
        assert not verdict(standing, DEFAULT_POLICY, address=key.address).suppressed


def test_every_item_of_a_history_survives_json() -> None:
    """The facts that are kept are read back as they were."""
    for seed in range(300):
        for standing in group_by_key(facts_in(a_history(Random(seed)))).values():  # noqa: S311 - a test's seed
            assert msgspec.json.decode(facts_json(standing), type=Standing) == standing

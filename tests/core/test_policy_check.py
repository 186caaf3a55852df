"""A policy's problems are all named, each with its place."""

import json
from typing import Any

import pytest
from hypothesis import given

from pipeline.errors import UsageError
from pipeline.policy import DEFAULT_POLICY, Policy, Rule, SoftRule, parse_policy
from pipeline.policy_check import policy_changes, policy_hash, policy_problems
from tests.support.strategies import json_values, odd_json

DAY = 86_400
SOFT = {"mails": 3, "window_seconds": DAY, "expiry_seconds": DAY}


def problems(**fields: Any) -> list[str]:
    return policy_problems(json.dumps(fields).encode())


def test_a_valid_policy_has_no_problem() -> None:
    """Each field may be missing."""
    assert problems() == problems(version=3, hard=None, soft=SOFT, blocked={"exempt": ["essential"]}) == []


def test_every_problem_is_named_with_its_place() -> None:
    """Not only the first: unknown, wrong and missing fields, at any depth, and what fields mean together."""
    assert problems(
        version=0,
        hard={"exempt": ["essential"]},
        listed={"expiry_seconds": "long", "exempt": ["essential", "Not a purpose"]},
        soft={"mails": 70, "windows": 1},
        harder=1,
        echo=3,
    ) == [
        "$.harder: there is no such field",
        "$.version: Expected `int` >= 1",
        "$.listed.expiry_seconds: Expected `int | null`, got `str`",
        "$.listed.exempt[1]: Expected `str` matching regex '^[a-z][a-z0-9_-]{0,31}$'",
        "$.soft.windows: there is no such field",
        "$.soft.mails: Expected `int` <= 64",
        "$.soft.window_seconds: it is missing",
        "$.soft.expiry_seconds: it is missing",
        "$.echo: Expected `object | null`, got `int`",
        "$: no purpose can be exempt from `hard`: such mail never arrives",
    ]


def test_a_rule_that_no_table_can_decide_is_a_problem_at_its_place() -> None:
    """The fields are valid alone."""
    [problem] = problems(soft={"mails": 3, "window_seconds": 1, "expiry_seconds": DAY})
    assert problem.startswith("$.soft: `expiry_seconds` is more than 31 times `window_seconds`")


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        (b"{", "it is not JSON: "),
        (b"\xff", "it is not JSON: "),
        (b"[1]", "$: Expected `object`, got `array`"),
    ],
)
def test_what_is_no_object_is_one_problem(document: bytes, problem: str) -> None:
    """There is nothing else to say about it."""
    [found] = policy_problems(document)
    assert found.startswith(problem)


@given(json_values)
def test_a_policy_without_problems_is_a_policy(value: Any) -> None:
    """The check and the parser agree on every document, in place of a policy or of a rule."""
    for document in (odd_json(value), odd_json({"soft": value}), odd_json({"hard": value, "not_spam": value})):
        try:
            parse_policy(document)
        except UsageError:
            assert policy_problems(document)
        else:
            assert policy_problems(document) == []


def test_equal_policies_have_equal_hashes() -> None:
    """A field that is written out with its default changes nothing; the version and every rule count."""
    assert policy_hash(parse_policy(b'{"version":1,"soft":null}')) == policy_hash(DEFAULT_POLICY)
    others = [Policy(version=2), Policy(hard=None), Policy(listed=Rule()), Policy(not_spam=False)]
    assert len({policy_hash(policy) for policy in (DEFAULT_POLICY, *others)}) == 5


def test_the_fields_that_differ_have_both_values() -> None:
    """In the order of the fields."""
    soft = SoftRule(mails=3, window_seconds=DAY, expiry_seconds=DAY)
    assert policy_changes(DEFAULT_POLICY, Policy(version=2, soft=soft)) == {"version": (1, 2), "soft": (None, soft)}
    assert policy_changes(DEFAULT_POLICY, DEFAULT_POLICY) == {}

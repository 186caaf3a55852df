"""What the environment may say, and what is said about what it may not."""

import pytest

from pipeline.aws.settings import Settings, read_settings
from pipeline.errors import Misuse
from pipeline.policy import DEFAULT_POLICY, Policy

ENVIRONMENT = {"MAILFOLD_TABLE": "suppression", "MAILFOLD_BUCKET": "mail-log"}


def test_table_and_bucket_are_enough() -> None:
    assert read_settings(ENVIRONMENT) == Settings(table="suppression", bucket="mail-log", policy=DEFAULT_POLICY)


def test_a_policy_is_read_from_json() -> None:
    settings = read_settings({**ENVIRONMENT, "MAILFOLD_POLICY": '{"version": 3, "uncertain_complaint": false}'})
    assert settings.policy == Policy(version=3, uncertain_complaint=False)


def test_without_an_argument_the_process_s_own_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    assert read_settings() == read_settings(ENVIRONMENT)


def test_every_problem_is_reported_at_once() -> None:
    with pytest.raises(Misuse) as raised:
        read_settings({"MAILFOLD_TABLE": "no spaces", "MAILFOLD_POLICY": '{"version": 0}'})
    assert str(raised.value).split("; ") == [
        "MAILFOLD_TABLE is no name that AWS allows for the suppression table: 'no spaces'",
        "MAILFOLD_BUCKET is not set: it names the bucket of log and quarantine",
        "MAILFOLD_POLICY is not a policy: Expected `int` >= 1 - at `$.version`",
    ]


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("MAILFOLD_TABLE", ""),
        ("MAILFOLD_TABLE", "ab"),
        ("MAILFOLD_TABLE", "a" * 256),
        ("MAILFOLD_BUCKET", "Upper"),
        ("MAILFOLD_BUCKET", "-bucket"),
        ("MAILFOLD_BUCKET", "s3://bucket"),
        ("MAILFOLD_POLICY", "strict"),
        ("MAILFOLD_POLICY", '{"versoin": 2}'),
    ],
)
def test_a_value_that_cannot_be_is_named_with_its_variable(variable: str, value: str) -> None:
    with pytest.raises(Misuse, match=variable):
        read_settings({**ENVIRONMENT, variable: value})

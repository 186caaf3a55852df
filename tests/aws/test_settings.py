"""What the environment may say, and what is said about what it may not."""

import pytest

from pipeline.aws.settings import ConsumerSettings, Settings, read_consumer_settings, read_settings, service_name
from pipeline.errors import UsageError
from pipeline.policy import DEFAULT_POLICY, Policy

ENVIRONMENT = {"MAILFOLD_TABLE": "suppression", "MAILFOLD_BUCKET": "mail-log"}


def test_table_and_bucket_are_enough() -> None:
    assert read_settings(ENVIRONMENT) == Settings(table="suppression", bucket="mail-log", policy=DEFAULT_POLICY)


def test_a_policy_is_read_from_json() -> None:
    settings = read_settings({**ENVIRONMENT, "MAILFOLD_POLICY": '{"version": 3, "uncertain_complaint": false}'})
    assert settings.policy == Policy(version=3, uncertain_complaint=False)


def test_a_parameter_of_the_live_table_and_a_stream_into_the_log_may_be_named() -> None:
    named = {"MAILFOLD_TABLES_PARAMETER": "/mailfold/mail/tables", "MAILFOLD_DELIVERY_STREAM": "mail-log"}
    settings = read_settings({**ENVIRONMENT, **named})
    assert (settings.tables_parameter, settings.delivery_stream) == ("/mailfold/mail/tables", "mail-log")
    assert read_settings({**ENVIRONMENT, **dict.fromkeys(named, "")}) == read_settings(ENVIRONMENT)


@pytest.mark.parametrize(
    ("given", "name"), [("mail-projector", "mail-projector"), ("", "projector"), (None, "projector")]
)
def test_a_function_has_a_name_outside_a_deployment_too(
    given: str | None, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("POWERTOOLS_SERVICE_NAME", raising=False)
    if given is not None:
        monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", given)
    assert service_name("projector") == name


def test_without_an_argument_the_process_s_own_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    assert read_settings() == read_settings(ENVIRONMENT)


def test_every_problem_is_reported_at_once() -> None:
    with pytest.raises(UsageError) as raised:
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
        ("MAILFOLD_TABLES_PARAMETER", "mailfold/mail/tables"),
        ("MAILFOLD_TABLES_PARAMETER", "/mailfold//tables"),
        ("MAILFOLD_TABLES_PARAMETER", "/mail fold"),
        ("MAILFOLD_DELIVERY_STREAM", "a" * 65),
        ("MAILFOLD_DELIVERY_STREAM", "arn:aws:firehose:eu-west-1:123456789012:deliverystream/mail-log"),
        ("MAILFOLD_POLICY", "strict"),
        ("MAILFOLD_POLICY", '{"versoin": 2}'),
    ],
)
def test_a_value_that_cannot_be_is_named_with_its_variable(variable: str, value: str) -> None:
    with pytest.raises(UsageError, match=variable):
        read_settings({**ENVIRONMENT, variable: value})


def test_a_consumer_needs_the_stream_besides_and_has_time() -> None:
    settings, consumer = read_consumer_settings({**ENVIRONMENT, "MAILFOLD_STREAM": "mail-feedback"})
    assert settings == read_settings(ENVIRONMENT)
    assert consumer == ConsumerSettings(stream="mail-feedback", checkpoint_seconds=60, patience_seconds=600)


def test_a_consumer_s_times_may_be_set() -> None:
    times = {"MAILFOLD_CHECKPOINT_SECONDS": "0", "MAILFOLD_PATIENCE_SECONDS": "1.5"}
    _, consumer = read_consumer_settings({**ENVIRONMENT, "MAILFOLD_STREAM": "mail-feedback", **times})
    assert (consumer.checkpoint_seconds, consumer.patience_seconds) == (0, 1.5)


def test_every_problem_of_a_consumer_is_reported_at_once() -> None:
    with pytest.raises(UsageError) as raised:
        read_consumer_settings({"MAILFOLD_TABLE": "suppression", "MAILFOLD_CHECKPOINT_SECONDS": "1e3"})
    assert str(raised.value).split("; ") == [
        "MAILFOLD_BUCKET is not set: it names the bucket of log and quarantine",
        "MAILFOLD_STREAM is not set: it names the feedback stream",
        "MAILFOLD_CHECKPOINT_SECONDS is no number of seconds: '1e3'",
    ]


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("MAILFOLD_STREAM", "arn:aws:kinesis:eu-west-1:123456789012:stream/mail-feedback"),
        ("MAILFOLD_STREAM", "a" * 129),
        ("MAILFOLD_CHECKPOINT_SECONDS", "-1"),
        ("MAILFOLD_PATIENCE_SECONDS", "nan"),
        ("MAILFOLD_PATIENCE_SECONDS", "10 minutes"),
    ],
)
def test_a_consumer_s_value_that_cannot_be_is_named_with_its_variable(variable: str, value: str) -> None:
    with pytest.raises(UsageError, match=variable):
        read_consumer_settings({**ENVIRONMENT, "MAILFOLD_STREAM": "mail-feedback", variable: value})

"""Settings from the environment, and the message about invalid ones."""

import pytest

from pipeline.aws.settings import ConsumerSettings, Settings, read_consumer_settings, read_settings, service_name
from pipeline.errors import UsageError
from pipeline.policy import DEFAULT_POLICY, Policy

ENVIRONMENT = {"MAILFOLD_TABLE": "suppression", "MAILFOLD_BUCKET": "mail-log"}


def test_table_and_bucket_are_enough() -> None:
    """Every other setting has a default."""
    assert read_settings(ENVIRONMENT) == Settings(table="suppression", bucket="mail-log", policy=DEFAULT_POLICY)


def test_a_policy_is_read_from_json() -> None:
    """Fields that the JSON leaves out have their defaults."""
    settings = read_settings({**ENVIRONMENT, "MAILFOLD_POLICY": '{"version": 3, "uncertain_complaint": null}'})
    assert settings.policy == Policy(version=3, uncertain_complaint=None)


def test_parameter_and_delivery_stream_are_optional() -> None:
    """An empty variable counts as unset."""
    named = {"MAILFOLD_TABLES_PARAMETER": "/mailfold/mail/tables", "MAILFOLD_DELIVERY_STREAM": "mail-log"}
    settings = read_settings({**ENVIRONMENT, **named})
    assert (settings.tables_parameter, settings.delivery_stream) == ("/mailfold/mail/tables", "mail-log")
    assert read_settings({**ENVIRONMENT, **dict.fromkeys(named, "")}) == read_settings(ENVIRONMENT)


@pytest.mark.parametrize(
    ("given", "name"), [("mail-projector", "mail-projector"), ("", "projector"), (None, "projector")]
)
def test_a_function_has_a_name_outside_a_deployment(
    given: str | None, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without POWERTOOLS_SERVICE_NAME, or with an empty one, it is the default."""
    monkeypatch.delenv("POWERTOOLS_SERVICE_NAME", raising=False)
    if given is not None:
        monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", given)
    assert service_name("projector") == name


def test_the_process_environment_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call without an argument reads it."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    assert read_settings() == read_settings(ENVIRONMENT)


def test_every_problem_is_reported_at_once() -> None:
    """One message names each variable that is missing or invalid."""
    with pytest.raises(UsageError) as raised:
        read_settings({"MAILFOLD_TABLE": "no spaces", "MAILFOLD_POLICY": '{"version": 0}'})
    assert str(raised.value).split("; ") == [
        "MAILFOLD_TABLE is not a name that AWS allows for the suppression table: 'no spaces'",
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
def test_an_invalid_value_is_named_with_its_variable(variable: str, value: str) -> None:
    """AWS would reject the name only when it is first used."""
    with pytest.raises(UsageError, match=variable):
        read_settings({**ENVIRONMENT, variable: value})


def test_a_consumer_also_needs_the_stream() -> None:
    """Its times have defaults."""
    settings, consumer = read_consumer_settings({**ENVIRONMENT, "MAILFOLD_STREAM": "mail-feedback"})
    assert settings == read_settings(ENVIRONMENT)
    assert consumer == ConsumerSettings(stream="mail-feedback", checkpoint_seconds=60, patience_seconds=600)


def test_the_times_of_a_consumer_can_be_set() -> None:
    """They are seconds, with a fraction if need be."""
    times = {"MAILFOLD_CHECKPOINT_SECONDS": "0", "MAILFOLD_PATIENCE_SECONDS": "1.5"}
    _, consumer = read_consumer_settings({**ENVIRONMENT, "MAILFOLD_STREAM": "mail-feedback", **times})
    assert (consumer.checkpoint_seconds, consumer.patience_seconds) == (0, 1.5)


def test_every_problem_of_a_consumer_is_reported_at_once() -> None:
    """One message names the problems of the common settings and of the further ones."""
    with pytest.raises(UsageError) as raised:
        read_consumer_settings({"MAILFOLD_TABLE": "suppression", "MAILFOLD_CHECKPOINT_SECONDS": "1e3"})
    assert str(raised.value).split("; ") == [
        "MAILFOLD_BUCKET is not set: it names the bucket of log and quarantine",
        "MAILFOLD_STREAM is not set: it names the feedback stream",
        "MAILFOLD_CHECKPOINT_SECONDS is not a number of seconds: '1e3'",
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
def test_an_invalid_value_of_a_consumer_is_named(variable: str, value: str) -> None:
    """The message holds the variable."""
    with pytest.raises(UsageError, match=variable):
        read_consumer_settings({**ENVIRONMENT, "MAILFOLD_STREAM": "mail-feedback", variable: value})

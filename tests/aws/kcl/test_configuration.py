"""What the daemon is told: the properties that matter, in a form that Java reads as it was meant."""

import re
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.aws.kcl.configuration import (
    ConsumerConfiguration,
    InitialPosition,
    java_switches,
    logging_text,
    properties_text,
)

# A name ends at the first of these, spaces before a value are passed over, and some lines are comments.
_PAIR = re.compile(r"(?![#!])((?:\\.|[^\\=: \t\f])*)=(?![ \t\f])(.*)")
_ESCAPE = re.compile(r"\\(u[0-9a-f]{4}|.)")


def a_consumer(**fields: Any) -> ConsumerConfiguration:
    return ConsumerConfiguration(
        **{"stream": "feedback", "application": "mailfold-feedback", "region": "eu-west-1"} | fields
    )


def told(consumer: ConsumerConfiguration) -> dict[str, str]:
    """Return the properties as java.util.Properties reads them."""
    text = properties_text(consumer, command="python -m processor", worker="host:1:a")
    assert text.isascii()
    pairs = [found for line in text.splitlines() if (found := _PAIR.fullmatch(line))]
    assert len(pairs) == text.count("\n")
    return {_unescaped(found[1]): _unescaped(found[2]) for found in pairs}


def _unescaped(text: str) -> str:
    def character(found: re.Match[str]) -> str:
        code = found[1]
        return chr(int(code[1:], 16)) if len(code) > 1 else code

    return _ESCAPE.sub(character, text).encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


def test_the_daemon_is_told_what_its_own_defaults_get_wrong() -> None:
    properties = told(a_consumer(grace_seconds=12.5))
    assert properties["retrievalMode"] == "POLLING"
    assert properties["shutdownGraceMillis"] == "12500"
    assert properties["callProcessRecordsEvenForEmptyRecordList"] == "true"
    assert properties["metricsLevel"] == "NONE"
    assert properties["initialPositionInStream"] == "TRIM_HORIZON"


def test_it_is_told_what_to_consume() -> None:
    properties = told(a_consumer())
    assert properties["executableName"] == "python -m processor"
    assert (properties["streamName"], properties["applicationName"]) == ("feedback", "mailfold-feedback")
    assert (properties["regionName"], properties["workerId"]) == ("eu-west-1", "host:1:a")


def test_fan_out_is_had_by_asking_for_it() -> None:
    assert told(a_consumer(fan_out=True))["retrievalMode"] == "FANOUT"


def test_it_begins_where_it_is_told() -> None:
    assert told(a_consumer(start=InitialPosition.NEWEST))["initialPositionInStream"] == "LATEST"
    at = told(a_consumer(start=datetime(2026, 3, 1, tzinfo=UTC)))
    assert (at["initialPositionInStreamExtended"], "initialPositionInStream" in at) == ("1772323200", False)


def test_further_properties_take_precedence() -> None:
    assert told(a_consumer(properties={"maxRecords": "7", "tableName": "t"})).items() >= {
        ("maxRecords", "7"),
        ("tableName", "t"),
    }


def test_it_holds_no_credentials() -> None:
    assert told(a_consumer())["AwsCredentialsProvider"] == "DefaultCredentialsProvider"


@given(st.text(min_size=1), st.text())
def test_java_reads_any_text_as_it_was_meant(name: str, value: str) -> None:
    assert told(a_consumer(properties={name: value}))[name] == value


def test_java_writes_utf_8_and_ends_when_its_memory_does() -> None:
    switches = java_switches(a_consumer(heap_mebibytes=99))
    assert {"-Dfile.encoding=UTF-8", "-Xmx99m", "-XX:+ExitOnOutOfMemoryError"} <= set(switches)


@pytest.mark.parametrize("level", ["INFO", "WARN"])
def test_it_logs_json_on_standard_error_alone_and_no_line_twice(level: str) -> None:
    configuration = ET.fromstring(logging_text(a_consumer(log_level=level)))  # noqa: S314 - our own
    [appender] = configuration.findall("appender")
    assert appender.findtext("target") == "System.err"
    levels = {logger.get("name"): logger.get("level") for logger in configuration.findall("logger")}
    assert levels["software.amazon.kinesis"] == level
    assert levels["software.amazon.kinesis.multilang.DrainChildSTDERRTask"] == "OFF"
    assert levels["software.amazon.kinesis.coordinator.DiagnosticEventLogger"] == "INFO", "its sign of life"

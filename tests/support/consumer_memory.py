"""Memory of a consumer by its number of shards, as the backlog tests measure it."""

# Of Java's heap. The KCL holds up to four responses of Kinesis for each shard.
HEAP_MEBIBYTES, HEAP_MEBIBYTES_PER_SHARD = 64, 25
# Of the container, beside the heap: Java's other memory, and a record processor with Kinesis's largest response.
JAVA_MEBIBYTES, PROCESS_MEBIBYTES = 256, 95


def heap_mebibytes(shards: int) -> int:
    """Return the heap that a daemon needs for so many shards."""
    return HEAP_MEBIBYTES + shards * HEAP_MEBIBYTES_PER_SHARD

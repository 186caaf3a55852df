"""Objects below the log's prefix that are not the log's: every reader skips them and names them.

Athena, too, hides objects whose names begin with "." or "_". Markers hold no data, so they are not named.
"""

import re

import msgspec

OBJECT_KEY = re.compile(r"dt=(?P<dt>\d{4}-\d\d-\d\d)/hr=(?P<hr>\d\d)/[^/._][^/]*", re.ASCII)
"""The key of an object of the log, below the prefix."""

# Hadoop's FileOutputCommitter and ChecksumFileSystem write the first two, Spark on Databricks the third, and Amazon EMR
# the last (repost.aws/knowledge-center/emr-s3-empty-files).
_MARKER_NAME = re.compile(r"_SUCCESS|\..+\.crc|_(?:started|committed)_\d+|.*_\$folder\$", re.ASCII)

FOREIGN_KEY = "its key is not one of the event log"
FOREIGN_COLUMNS = "its columns are not those of the event log"
DAMAGED = "it is not a Parquet file, or it is damaged"
EMPTY = "it is empty"


class SkippedObject(msgspec.Struct, frozen=True):
    """An object below the log's prefix that is not the log's, or that is damaged.

    Attributes:
        uri: Its S3 URI.
        why: Why it was not read to its end.
    """

    uri: str
    why: str


def is_marker(key: str) -> bool:
    """Return True if an object or a file holds no data: a console's folder, or what Hadoop writes beside the data."""
    return key.endswith("/") or _MARKER_NAME.fullmatch(key.rpartition("/")[2]) is not None


def why_skipped(key: str, size_bytes: int) -> str:
    """Return why an object is not read, judged by what S3 lists of it; "" if it is to be read.

    Args:
        key: Its key below the log's prefix.
        size_bytes: Its size.
    """
    if not OBJECT_KEY.fullmatch(key):
        return FOREIGN_KEY
    return "" if size_bytes else EMPTY

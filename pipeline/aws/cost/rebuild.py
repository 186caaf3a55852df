"""What a rebuild of the suppression table uses in the twelfth month. It is no part of a month, because it is rare."""

from pipeline.aws.cost.usage import ITEM_BYTES, KB, MONTHS, WRITES_PER_RECORD, rounded_bytes, usages
from pipeline.aws.cost.workload import Workload

READ_STEP_BYTES = 4 * KB

# An object that is read returns to the frequent tier for 30 days, and then stays in the infrequent one for 60.
# docs.aws.amazon.com/AmazonS3/latest/userguide/intelligent-tiering-overview.html
FREQUENT_MONTHS, INFREQUENT_MONTHS = 1, 2


def rebuild_units(workload: Workload) -> dict[str, float]:
    """Return what a rebuild in the twelfth month uses, by price. Storage is what it costs more than without one."""
    addresses = workload.feedback * MONTHS[1]
    stored = {usage.price: usage.twelfth for usage in usages(workload) if usage.part == "log: S3, storage"}
    puts = next(usage.first for usage in usages(workload) if usage.price == "s3_put")
    archived, infrequent = stored["s3_tiering_archive_instant"], stored["s3_tiering_infrequent"]
    return {
        "dynamodb_write": addresses * WRITES_PER_RECORD,
        "dynamodb_read": addresses * rounded_bytes(ITEM_BYTES, READ_STEP_BYTES) / READ_STEP_BYTES,
        "s3_get": puts * MONTHS[1],  # an object is read in as many requests as it is written in
        "s3_tiering_frequent": (archived + infrequent) * FREQUENT_MONTHS,
        "s3_tiering_infrequent": archived * INFREQUENT_MONTHS - infrequent * FREQUENT_MONTHS,
        "s3_tiering_archive_instant": -archived * (FREQUENT_MONTHS + INFREQUENT_MONTHS),
    }

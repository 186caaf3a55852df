"""The event log: schema, Parquet files, S3 objects, Firehose and Athena."""

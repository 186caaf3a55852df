"""Data Firehose on this machine: it buffers, transforms, converts to Parquet, writes to S3, and keeps what failed."""

"""Data Firehose on this machine: buffer, transform, convert to Parquet, write, and keep what failed."""

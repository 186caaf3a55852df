"""Athena's SQL on DuckDB: read, translate, run, and show as Athena would."""

"""Athena's SQL on DuckDB: parsing, translation, execution, and Athena's text form of values."""

"""Leftovers in AWS: objects of the log's bucket, and messages of the dead-letter queues."""

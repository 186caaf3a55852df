"""Lambda handlers: the projector and the Firehose transform."""

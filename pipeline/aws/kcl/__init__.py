"""Consumer of the feedback stream based on the Kinesis Client Library, where no Lambda reads it."""

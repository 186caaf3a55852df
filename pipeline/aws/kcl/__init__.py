"""Reading the feedback stream with the Kinesis Client Library, where no Lambda is to do it."""

"""The HTTP gateway of the local cloud: SES, Firehose and Athena in this process, everything else by the backend."""

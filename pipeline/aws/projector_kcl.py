"""Entry point of the record processor, which the KCL's daemon starts once for each of its shards.

    python -m pipeline.aws.projector_kcl

It exchanges messages with the daemon over standard input and output, and logs to standard error. It reserves both pipes
before it imports anything else, so that no import can print between the messages. The work is in `pipeline.aws.kcl`.
github.com/awslabs/amazon-kinesis-client/tree/master/amazon-kinesis-client-multilang
"""

import signal
import sys

from pipeline.aws.kcl.stdio import take_stdio


def run_record_processor() -> None:
    """Process messages until the daemon closes its pipe.

    Exits with 0 then, with 1 if continuing would skip records that are not stored, with 2 if the settings are wrong.
    """
    # Ctrl-C, and a stop of the whole service, reach the daemon and its children at once. The daemon then requests a
    # last checkpoint and closes the pipe. A record processor that ends earlier cannot write that checkpoint.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    stdio = take_stdio()

    from pipeline.aws.kcl.process import process_messages  # noqa: PLC0415 - the pipes are reserved first

    sys.exit(process_messages(stdio))


if __name__ == "__main__":
    run_record_processor()

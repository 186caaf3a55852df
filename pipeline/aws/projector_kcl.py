"""The record processor: the process that the Kinesis Client Library's daemon starts for each shard it has.

    python -m pipeline.aws.projector_kcl

It speaks with the daemon over standard input and standard output, and logs on standard error. `pipeline.aws.kcl` holds
what it does; here, both pipes are taken before anything else is imported, so that nothing can print among the messages.
github.com/awslabs/amazon-kinesis-client/tree/master/amazon-kinesis-client-multilang
"""

import signal
import sys

from pipeline.aws.kcl.process import take_stdio


def run_record_processor() -> None:
    """Serve the daemon until it closes its pipe.

    Exits with 0 then; with 1 if it could only go on by passing what is not stored; with 2 if the settings are wrong.
    """
    # Ctrl-C, and a stop of the whole service, reach the daemon and its children at once. The daemon then asks for a
    # last checkpoint, and closes the pipe: whoever ends before that leaves it nobody to ask.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    pipes = take_stdio()

    from pipeline.aws.kcl.process import process_messages  # noqa: PLC0415 - see above

    sys.exit(process_messages(pipes))


if __name__ == "__main__":
    run_record_processor()

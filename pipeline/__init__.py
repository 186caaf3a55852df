"""Mailfold: keep every Amazon SES event, and fold bounces and complaints into a suppression list.

The modules directly in this package are the pure core: no AWS, no clock, no I/O, no logging. They import
the standard library, msgspec and idna, and nothing else. `pipeline.aws` adapts them to AWS,
`pipeline.local` emulates the AWS services on one machine, and `pipeline.cli` is the command line.
Imports run one way: core <- aws <- local <- cli.

Glossary:

    event        Something that SES reports about an e-mail, or an operator's decision.
    envelope     A wrapper that a transport puts around an event, such as an SNS notification.
    fact         A statement of one event about one address, such as "hard bounce".
    evidence     The details of a fact: its time, event, message, status and diagnostic.
    standing     All facts that are known about one address in one scope.
    scope        The part of an organisation's mail that a fact applies to; `*` is all of it.
    decision     An operator's event, which suppresses or releases an address.
    policy       The rules, as data, that decide which facts suppress an address and for how long.
    verdict      The result of applying a policy to a standing: suppressed or not, why and until when.
    fold         Join facts into a standing; neither their order nor repetitions matter.
    projection   The process that folds the records of a stream into the suppression table.
    replay       Fold the facts of the event log into a suppression table again.
    digest       A checksum of all facts in a table that does not depend on their order.
    quarantine   The store of payloads that cannot be processed, each with the reason.
    leftover     A record that a hop of the pipeline could not process, kept with its bytes.
    redrive      Send leftovers back through the pipeline, by the path of live traffic.
    poison       A payload that cannot be decoded.
    checkpoint   The position in a shard up to which every record is stored or quarantined.
    shard        One of the ordered sequences of records that make up a Kinesis stream.
    lease        The exclusive right of one KCL worker to read a shard.
    dead letter  A batch or call that Lambda has given up and written to a failure destination.
    chaos        Faults that the local cloud injects on purpose: loss, repetition, reordering, outages.
"""

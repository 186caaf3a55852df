"""Mailfold: every Amazon SES event kept for ever, and folded into a suppression list.

The modules directly in this package are the pure core: no AWS, no clock, no I/O, no logging. They import
the standard library, msgspec and idna, and nothing else. `pipeline.aws` adapts them to AWS,
`pipeline.local` is the cloud on this machine, `pipeline.cli` the command line. Imports run one way:
core <- aws <- local <- cli.
"""

"""What went wrong in a call of AWS, in one word: fit for a log, since it quotes nothing."""

from botocore.exceptions import BotoCoreError, ClientError

ERRORS = (ClientError, BotoCoreError)
"""All that a boto3 client's call raises."""


def error_code(error: ClientError | BotoCoreError) -> str:
    """Return AWS's code for its refusal; or what kept AWS from answering, in botocore's word."""
    return error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__

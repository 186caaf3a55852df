"""What goes wrong in a call of AWS; `pipeline.aws.refusal.code_of` says it in one word."""

from botocore.exceptions import BotoCoreError, ClientError

ERRORS = (ClientError, BotoCoreError)
"""All that a boto3 client's call raises."""

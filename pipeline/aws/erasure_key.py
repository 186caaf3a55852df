"""The secret key of erasures: an encrypted parameter beside the one that names the live table.

Senders that may read it can ask about erased addresses too. Once it is destroyed, no one can tell to which address a
pseudonym belongs, or find an erased person's suppression.
docs.aws.amazon.com/systems-manager/latest/userguide/secure-string-parameter-kms-encryption.html
"""

from __future__ import annotations

from secrets import token_bytes
from typing import TYPE_CHECKING

from pipeline.aws.errors import missing_ok, tolerate, translated
from pipeline.errors import UsageError
from pipeline.pseudonym import KEY_BYTES

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient

NAME = "erasure-key"


def erasure_parameter(folder: str) -> str:
    """Return the name of the parameter, below a deployment's folder, such as `/mailfold/mail`."""
    return f"{folder}/{NAME}"


def read_key(ssm: SSMClient, *, parameter: str) -> bytes | None:
    """Return the key; None if no one was ever erased, or the key was destroyed.

    Raises:
        UsageError: The parameter does not hold a key.
        AccessDenied: AWS denies reading it.
        ServiceUnavailable: AWS throttles or cannot be reached.
    """
    with translated("reading the key of erasures"):
        response = missing_ok(lambda: ssm.get_parameter(Name=parameter, WithDecryption=True))
    if response is None:
        return None
    try:
        key = bytes.fromhex(response["Parameter"]["Value"])
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise UsageError(f"the parameter {parameter} does not hold a key of {KEY_BYTES} bytes in hex: restore it")
    return key


def ensure_key(ssm: SSMClient, *, parameter: str) -> bytes:
    """Return the key. Create it if there is none: a random one, encrypted with the account's key of Parameter Store.

    Raises: As `read_key`.
    """
    if key := read_key(ssm, parameter=parameter):
        return key
    with translated("creating the key of erasures"):
        tolerate(
            lambda: ssm.put_parameter(
                Name=parameter,
                Description="Secret key of Mailfold's erasures. Without it no erased address can be looked up",
                Value=token_bytes(KEY_BYTES).hex(),
                Type="SecureString",
                Overwrite=False,
            ),
            "ParameterAlreadyExists",
        )
    created = read_key(ssm, parameter=parameter)  # of two processes at once, one created it
    if created is None:
        raise UsageError(f"the parameter {parameter} was deleted at the same time: erase again")
    return created


def destroy_key(ssm: SSMClient, *, parameter: str) -> bool:
    """Delete the key for ever. Return whether there was one.

    Raises:
        AccessDenied: AWS denies it.
        ServiceUnavailable: AWS throttles or cannot be reached.
    """
    with translated("destroying the key of erasures"):
        return missing_ok(lambda: ssm.delete_parameter(Name=parameter)) is not None

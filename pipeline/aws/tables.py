"""Which suppression table is live, and which others are written to: a parameter beside the stack.

CloudFormation never owns it, so no update of the stack sets it back; `mailfold deploy` makes it if it is not there. A
rebuild writes a second table beside the live one, and then names that one live here.
docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from pipeline.aws.refusal import asking, code_of
from pipeline.aws.stack import Stack
from pipeline.errors import Misuse

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_ssm import SSMClient


class Tables(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the parameter holds, as JSON.

    Attributes:
        live: The table that senders ask.
        also: Tables that the projector writes to besides.
    """

    live: str
    also: tuple[str, ...] = ()


def parse_tables(text: str) -> Tables:
    """Return what a parameter's text says.

    Raises:
        Misuse: It says nothing that can be.
    """
    try:
        tables = msgspec.json.decode(text, type=Tables)
    except msgspec.MsgspecError as error:
        raise Misuse(f"the parameter of the live table is wrong: {error}") from error
    if not tables.live or not all(tables.also) or tables.live in tables.also:
        raise Misuse("the parameter of the live table is wrong: each table has to have a name, and to stand there once")
    return tables


def read_tables(ssm: SSMClient, *, parameter: str) -> Tables | None:
    """Return what the parameter says, or None if there is no such parameter.

    Raises:
        Misuse: It says nothing that can be, or AWS denies reading it.
        CloudUnavailable: AWS throttles or cannot be reached.
    """
    with asking("reading which table is live"):
        from botocore.exceptions import ClientError  # noqa: PLC0415 - heavy: see `pipeline.aws.clients`

        try:
            text = ssm.get_parameter(Name=parameter)["Parameter"]["Value"]
        except ClientError as error:
            if code_of(error) == "ParameterNotFound":
                return None
            raise
    return parse_tables(text)


def tables_of(ssm: SSMClient, stack: Stack) -> Tables:
    """Return a deployment's tables: as the parameter says, or else the stack's own is the live one.

    Raises:
        Misuse: The parameter says nothing that can be, AWS denies reading it, or the stack is none of Mailfold's.
        CloudUnavailable: AWS throttles or cannot be reached.
    """
    read = read_tables(ssm, parameter=stack.output("TablesParameter"))
    return read or Tables(live=stack.output("SuppressionTable"))


def create_tables(ssm: SSMClient, *, parameter: str, live: str) -> bool:
    """Make the parameter, naming the live table; one that is there stays as it is.

    Returns:
        Whether it was made.

    Raises:
        Misuse: AWS denies it.
        CloudUnavailable: AWS throttles or cannot be reached.
    """
    with asking("saying which table is live"):
        from botocore.exceptions import ClientError  # noqa: PLC0415 - heavy: see `pipeline.aws.clients`

        try:
            ssm.put_parameter(
                Name=parameter,
                Description="Which of Mailfold's suppression tables is live, and which others are written to",
                Value=msgspec.json.encode(Tables(live=live)).decode(),
                Type="String",
                Overwrite=False,
            )
        except ClientError as error:
            if code_of(error) == "ParameterAlreadyExists":
                return False
            raise
    return True


def missing_tables(dynamodb: DynamoDBClient, tables: Tables) -> tuple[str, ...]:
    """Return the tables that are not there: feedback waits for each of them, and is lost if it waits for too long.

    Raises:
        Misuse: AWS denies looking.
        CloudUnavailable: AWS throttles or cannot be reached.
    """
    return tuple(name for name in (tables.live, *tables.also) if not _is_there(dynamodb, name))


def _is_there(dynamodb: DynamoDBClient, name: str) -> bool:
    with asking(f"looking for the table {name}"):
        from botocore.exceptions import ClientError  # noqa: PLC0415 - heavy: see `pipeline.aws.clients`

        try:
            dynamodb.describe_table(TableName=name)
        except ClientError as error:
            if code_of(error) == "ResourceNotFoundException":
                return False
            raise
    return True

"""Which cloud the commands work on: the one that the environment names, or else the local one that runs.

The environment is read here, at the entry point, and nowhere deeper.
"""

import os
from datetime import UTC, datetime

from pipeline.aws.settings import BUCKET, TABLE, Settings, read_settings
from pipeline.errors import Misuse

ENDPOINT = "AWS_ENDPOINT_URL"


def settings() -> Settings:
    """Return where table and log are.

    A local cloud that `mailfold up` runs is found by itself; its address and made-up credentials then go into this
    process's environment, where boto3 finds them.

    Raises:
        Misuse: The environment names nothing, and no local cloud runs.
    """
    if not ({TABLE, BUCKET} & os.environ.keys()):
        from pipeline.local.discovery import find  # noqa: PLC0415 - only where no cloud is named

        found = find()
        if found is None:
            raise Misuse(
                f"no local cloud is running: start one with `mailfold up`, or set {TABLE} and {BUCKET} for AWS"
            )
        os.environ.update(found)
    return read_settings()


def local_settings() -> Settings:
    """Return where the local cloud keeps things, for what must never reach AWS by accident.

    Raises:
        Misuse: The environment names AWS, or nothing.
    """
    found = settings()
    if ENDPOINT not in os.environ:
        raise Misuse(f"this works on a local cloud only: unset {TABLE} and {BUCKET}, and start one with `mailfold up`")
    return found


def moment(text: str | None) -> datetime | None:
    """Return the moment that an option names, a date or a time, UTC unless it says otherwise.

    Raises:
        Misuse: It is neither.
    """
    if text is None:
        return None
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError as error:
        raise Misuse(f"not a date or a time: {text!r}; write 2026-03-01 or 2026-03-01T10:00:00Z") from error
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)

"""A moment, as an option names it."""

from datetime import UTC, datetime

from pipeline.errors import Misuse


def moment(text: str | None) -> datetime | None:
    """Return the moment that an option names, a date or a time, UTC unless it says otherwise.

    Raises:
        Misuse: It is neither.
    """
    if text is None:
        return None
    try:
        parsed = datetime.fromisoformat(text)
        return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Misuse(f"not a date or a time: {text!r}; write 2026-03-01 or 2026-03-01T10:00:00Z") from error

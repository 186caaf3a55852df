"""Name an error that nobody foresaw, without its text: that may quote an address or a payload. Pure."""

from traceback import extract_tb


def fault(error: BaseException) -> str:
    """Return an error's type and the line that raised it, for a log or a reason."""
    frames = extract_tb(error.__traceback__)
    place = f" in {frames[-1].filename.rpartition('/')[2]}, line {frames[-1].lineno}" if frames else ""
    return f"an error of ours, {type(error).__name__}{place}"

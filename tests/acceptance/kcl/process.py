"""Processes, as Linux's kernel reports them: docs.kernel.org/filesystems/proc.html."""

from contextlib import suppress
from pathlib import Path


def children(process_id: int) -> list[int]:
    """Return the children of all threads of a process, or none if it has ended."""
    with suppress(OSError):
        threads = list(Path(f"/proc/{process_id}/task").iterdir())
        return [int(child) for thread in threads for child in (thread / "children").read_text().split()]
    return []


def is_running(process_id: int) -> bool:
    """Return True if a process exists and is no zombie."""
    with suppress(OSError):
        return Path(f"/proc/{process_id}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    return False

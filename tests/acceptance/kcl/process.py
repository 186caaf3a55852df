"""Processes, as Linux's kernel tells of them: docs.kernel.org/filesystems/proc.html."""

from contextlib import suppress
from pathlib import Path


def children(process_id: int) -> list[int]:
    """Return a process's children, whichever of its threads started them; none, if it is gone."""
    with suppress(OSError):
        threads = list(Path(f"/proc/{process_id}/task").iterdir())
        return [int(child) for thread in threads for child in (thread / "children").read_text().split()]
    return []


def lives(process_id: int) -> bool:
    """Tell whether a process is there, and has not ended."""
    with suppress(OSError):
        return Path(f"/proc/{process_id}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    return False

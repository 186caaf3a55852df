"""The temporary folder of a process that was killed is removed by the next one, and no other is."""

import os
import time
from pathlib import Path

import pytest

from pipeline.local.leftovers import CREATED_SECONDS, locked, temporary_folder

PREFIX = "mailfold-test-"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def a_leftover(folder: Path, name: str = f"{PREFIX}old") -> Path:
    """Create a folder with a file, as a process that was killed long ago leaves it."""
    leftover = folder / name
    (leftover / "log").mkdir(parents=True)
    (leftover / "log" / "file").write_text("content")
    old = time.time() - 2 * CREATED_SECONDS
    os.utime(leftover, (old, old))
    return leftover


def test_a_leftover_is_removed(folder: Path) -> None:
    """When the next folder is made, and the new one is removed at its end."""
    leftover = a_leftover(folder)
    with temporary_folder(PREFIX) as new:
        assert not leftover.exists()
        assert list(folder.iterdir()) == [new]
    assert list(folder.iterdir()) == []


def test_a_folder_in_use_is_kept(folder: Path) -> None:
    """However long ago it was changed."""
    with temporary_folder(PREFIX) as first:
        os.utime(first, (0, 0))
        with temporary_folder(PREFIX):
            assert first.exists()


def test_other_folders_are_kept(folder: Path) -> None:
    """One that was only just created, one of another name, and what a link names."""
    other = a_leftover(folder, "other")
    (folder / f"{PREFIX}link").symlink_to(other)
    new = a_leftover(folder, f"{PREFIX}new")
    os.utime(new)
    with temporary_folder(PREFIX):
        assert (other / "log" / "file").exists()
        assert new.exists()


def test_a_folder_is_locked_once(folder: Path) -> None:
    """Until the block ends."""
    with locked(folder), pytest.raises(BlockingIOError), locked(folder):
        pass
    with locked(folder):
        pass

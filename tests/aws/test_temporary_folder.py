"""The temporary folder of a process that was killed is removed by the next one, and no other is."""

from pathlib import Path

import pytest

from pipeline.aws.temporary_folder import locked, temporary_folder

PREFIX = "mailfold-test-"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def a_leftover(folder: Path, name: str = f"{PREFIX}old") -> Path:
    """Create a folder with a file, as a process that was killed leaves it."""
    leftover = folder / name
    (leftover / "log").mkdir(parents=True)
    (leftover / "log" / "file").write_text("content")
    return leftover


def test_a_leftover_is_removed(folder: Path) -> None:
    """When the next folder is made, and the new one is removed at its end."""
    leftover = a_leftover(folder)
    with temporary_folder(PREFIX) as new:
        assert not leftover.exists()
        assert list(folder.iterdir()) == [new]
    assert list(folder.iterdir()) == []


def test_a_folder_in_use_is_kept(folder: Path) -> None:
    """Its process holds the lock."""
    with temporary_folder(PREFIX) as first:
        (first / "file").touch()
        with temporary_folder(PREFIX):
            assert (first / "file").exists()


def test_other_folders_are_kept(folder: Path) -> None:
    """One that is empty, which its process may be about to lock, one of another name, and what a link names."""
    other = a_leftover(folder, "other")
    (folder / f"{PREFIX}link").symlink_to(other)
    new = folder / f"{PREFIX}new"
    new.mkdir()
    with temporary_folder(PREFIX):
        assert (other / "log" / "file").exists()
        assert new.exists()


def test_a_folder_is_locked_once(folder: Path) -> None:
    """Until the block ends."""
    with locked(folder), pytest.raises(BlockingIOError), locked(folder):
        pass
    with locked(folder):
        pass

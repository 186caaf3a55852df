"""Text is plain technical English: a list of phrases that it does not use, and a sentence for every test."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SUFFIXES = {".py", ".md", ".yaml", ".toml", ".sql", ".json", ".in", ".js", ""}
GENERATED = ("schemas/wire/examples/", "LICENSE", "package-lock.json")
MAX_NAME_LENGTH = 72

BANNED = re.compile(
    r"""(?ix)
    \b bec(?:omes?|ame) \s of \b                          # say what happens to it
    | \b (?:who|whom)ever \b | \b (?:no|some|any|every)body \b  # name the role: the caller, an operator, a client
    | \b whence \b | \b whither \b
    | \b (?:is|are|was|were|be) \s told \b | \b told \b    # is reported, gets
    | \b fare[sd]? \b                                      # state, progress
    | \b (?:of \s)? ours \b                                # Mailfold's, or nothing
    | \b mend(?:s|ed|ing)? \b                              # correct, fix, repair, heal
    | \b stands \b                                         # is
    | \b away \b                                           # unavailable, gone
    | \b fates? \b | \b mischief \b | \b mishaps? \b | \b handy \b
    | \"{3} (?:gives?|tells?|hears?) \s                    # return, yield, print, report
    """
)


def tracked_files() -> list[Path]:
    listed = subprocess.run(
        ["/usr/bin/env", "git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    ).stdout.splitlines()
    names = [name for name in listed if not any(part in name for part in GENERATED)]
    files = [ROOT / name for name in names if Path(name).suffix in SUFFIXES]
    return [file for file in files if file.is_file() and file != Path(__file__)]


def test_no_file_uses_a_banned_phrase() -> None:
    """Docstrings, comments, messages, templates and documents use none of the banned phrases."""
    matches = [
        f"{file.relative_to(ROOT)}:{number}: {match[0]}"
        for file in tracked_files()
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
        if (match := BANNED.search(line))
    ]
    assert matches == []


@pytest.mark.parametrize(
    "phrase", ["what becomes of it", "Whoever asks", "is told", "an error of ours", '"""Give all.']
)
def test_a_banned_phrase_is_found(phrase: str) -> None:
    """The pattern matches the phrases that it is for."""
    assert BANNED.search(phrase)


@pytest.mark.parametrize("phrase", ["an amendment", "becomes official", "warfare", "standing", "threefold"])
def test_a_word_that_contains_a_banned_one_is_not_found(phrase: str) -> None:
    """The pattern matches whole words."""
    assert not BANNED.search(phrase)


def test_every_test_has_a_sentence_and_a_short_name() -> None:
    """Each test says in one docstring what must be true, and its name has at most about 70 characters."""
    tests = [
        (f"{file.relative_to(ROOT)}:{node.name}", node)
        for file in tracked_files()
        if file.name.startswith("test_") and file.suffix == ".py"
        for node in ast.walk(ast.parse(file.read_bytes()))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]
    assert [name for name, node in tests if not ast.get_docstring(node)] == []
    assert [name for name, node in tests if len(node.name) > MAX_NAME_LENGTH] == []

"""Mutate functions of the core, run the fast tests of `tests/core` for each mutant, and print those that survive.

mutmut changes one operator, argument or constant at a time; it does not change tables at the top of a module. Results
are kept in mutants/, so an interrupted run goes on. Exit code 1 if a mutant survives. mutmut.readthedocs.io

Example: python -m tests.mutants pipeline/standing.py pipeline/digest.py
"""

import os
import re
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[2]
MUTMUT = (sys.executable, "-m", "mutmut")
WORKERS = os.environ.get("WORKERS", "2")
# What `mutmut results` prints of a mutant that no test rejects.
SURVIVORS = re.compile(r"^ *(\S+): (survived|no tests|suspicious)$", re.MULTILINE)
CHANGE = re.compile(r"^([+-])(?![+-]{2} )(.*)$", re.MULTILINE)


def main(files: list[str]) -> int:
    """Test the mutants of the files, by default of the whole core. Return the exit code."""
    modules = [Path(file).with_suffix("").as_posix().replace("/", ".") for file in files]
    if missing := [file for file in files if not (ROOT / file).is_file()]:
        sys.exit(f"no such file: {', '.join(missing)}")
    subprocess.run(  # noqa: S603 - a locked package
        [*MUTMUT, "run", "--max-children", WORKERS, *(f"{module}.*" for module in modules)], cwd=ROOT, check=True
    )
    names = [(name, status) for name, status in SURVIVORS.findall(_output("results")) if _is_in(name, modules)]
    if names:
        Console(width=180).print(table(names))
    print(f"{len(names)} mutants survive")
    return 1 if names else 0


def table(names: list[tuple[str, str]]) -> Table:
    """Return mutants with their status, the lines as they are, and the lines as mutated."""
    rows = Table("mutant", "status", "line", "mutated line", show_lines=True)
    for name, status in names:
        changes = CHANGE.findall(_output("show", name))
        lines = ["\n".join(line.strip() for sign, line in changes if sign == wanted) for wanted in "-+"]
        rows.add_row(name.removeprefix("pipeline."), status, *lines)
    return rows


def _is_in(name: str, modules: list[str]) -> bool:
    return not modules or any(name.startswith(f"{module}.") for module in modules)


def _output(*arguments: str) -> str:
    command = [*MUTMUT, *arguments]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout  # noqa: S603 - likewise


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""A parser of infra/Dockerfile for tests: its stages and their instructions.

docs.docker.com/reference/dockerfile/
"""

import json
import shlex
from pathlib import Path

import msgspec

from tests.acceptance.emulators.ministack import ROOT

FILE = ROOT / "infra" / "Dockerfile"


class Instruction(msgspec.Struct, frozen=True):
    """An instruction, with its lines joined.

    Attributes:
        name: Name of the instruction, such as `RUN`.
        text: Rest of the instruction.
    """

    name: str
    text: str

    @property
    def words(self) -> list[str]:
        """The text, split like a shell does."""
        return shlex.split(self.text)

    @property
    def array(self) -> list[str]:
        """The strings of a text in JSON form."""
        strings: list[str] = json.loads(self.text[self.text.index("[") :])
        return strings


class Stage(msgspec.Struct, frozen=True):
    """A build stage, from one `FROM` to the next.

    Attributes:
        base: Base image.
        instructions: Other instructions, in order.
    """

    base: str
    instructions: tuple[Instruction, ...]

    def all(self, name: str) -> list[Instruction]:
        """Return the instructions of that name."""
        return [instruction for instruction in self.instructions if instruction.name == name]

    def only(self, name: str) -> Instruction:
        """Return the only instruction of that name."""
        (instruction,) = self.all(name)
        return instruction


def stages(file: Path = FILE) -> list[Stage]:
    """Return the stages. The last one is the image."""
    parts: list[list[Instruction]] = []
    for line in _lines(file.read_text()):
        name, _, text = line.partition(" ")
        if name == "FROM":
            parts.append([])
        parts[-1].append(Instruction(name, text.strip()))
    return [Stage(first.words[0], tuple(others)) for first, *others in parts]


def _lines(text: str) -> list[str]:
    lines = [line.rstrip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return "\n".join(lines).replace("\\\n", " ").splitlines()

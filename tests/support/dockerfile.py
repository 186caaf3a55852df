"""infra/Dockerfile as far as a test has to read it: its stages and their instructions.

docs.docker.com/reference/dockerfile/
"""

import json
import shlex
from pathlib import Path

import msgspec

from tests.acceptance.emulators.ministack import ROOT

FILE = ROOT / "infra" / "Dockerfile"


class Instruction(msgspec.Struct, frozen=True):
    """One instruction, its lines joined.

    Attributes:
        name: `RUN`, `COPY` and so on.
        text: The rest.
    """

    name: str
    text: str

    @property
    def words(self) -> list[str]:
        """The words of its text, as a shell parts them."""
        return shlex.split(self.text)

    @property
    def array(self) -> list[str]:
        """The words of a text that is an array of JSON, which no shell parts."""
        found: list[str] = json.loads(self.text[self.text.index("[") :])
        return found


class Stage(msgspec.Struct, frozen=True):
    """A stage: from one `FROM` to the next.

    Attributes:
        base: What it begins with.
        instructions: The others, in order.
    """

    base: str
    instructions: tuple[Instruction, ...]

    def all(self, name: str) -> list[Instruction]:
        """Return its instructions of a name."""
        return [one for one in self.instructions if one.name == name]

    def only(self, name: str) -> Instruction:
        """Return its one instruction of a name."""
        (one,) = self.all(name)
        return one


def stages(file: Path = FILE) -> list[Stage]:
    """Return the stages; the last one is the image."""
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

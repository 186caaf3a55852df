"""The Lambdas' libraries, from the folder that `make wheels` fills, as `make test` does: no test asks an index."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.acceptance.emulators.ministack import ROOT

FOLDER = ROOT / ".venv" / "wheels"


@contextmanager
def from_folder() -> Iterator[None]:
    """Let pip, in processes that are started, find the wheels in that folder and nowhere else."""
    if not (FOLDER / "ready").exists():
        pytest.skip("the Lambdas' libraries are not here: `make wheels` fetches them")
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ:
            if name.startswith("PIP_"):
                patch.delenv(name)
        patch.setenv("PIP_CONFIG_FILE", os.devnull)
        patch.setenv("PIP_NO_INDEX", "1")
        patch.setenv("PIP_FIND_LINKS", str(FOLDER))
        yield

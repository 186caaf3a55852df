"""The Lambdas' libraries in the folder that `make wheels` fills, so that no test needs a package index."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.acceptance.emulators.ministack import ROOT

FOLDER = ROOT / ".venv" / "wheels"


@contextmanager
def from_folder() -> Iterator[None]:
    """Make pip, in child processes, use only the wheels in that folder."""
    if not (FOLDER / "ready").exists():
        pytest.skip("the Lambdas' libraries are missing: run `make wheels`")
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ:
            if name.startswith("PIP_"):
                patch.delenv(name)
        patch.setenv("PIP_CONFIG_FILE", os.devnull)
        patch.setenv("PIP_NO_INDEX", "1")
        patch.setenv("PIP_FIND_LINKS", str(FOLDER))
        yield

"""The wheel, installed with each extra into an empty environment, runs its commands from another directory."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command import ROOT, WAIT_SECONDS

UV = Path(sys.executable).with_name("uv")
WHEELS = [ROOT / ".venv" / "extra-wheels", ROOT / ".venv" / "image-wheels"]
EVENT = ROOT / "schemas" / "wire" / "examples" / "v1.bounce-permanent-general.pass.json"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's wheel."""
    if not all((folder / "ready").exists() for folder in WHEELS):
        pytest.skip("the libraries of the extras are not installed: `make wheels` downloads them")
    folder = tmp_path_factory.mktemp("wheel")
    _run(sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder, cwd=ROOT)
    [file] = folder.glob("*.whl")
    return file


@pytest.mark.parametrize(
    ("extra", "commands"),
    [
        ("", ["mailfold --help", f"mailfold decode {EVENT}", "mailfold cost --emails-per-day 1000"]),
        ("lambda", ["python -c 'import pipeline.aws.lambdas.projector, pipeline.aws.lambdas.transform'"]),
        ("parquet", ["mailfold ingest --help", "python -c 'import pipeline.aws.archive.s3'"]),
        ("kcl", ["mailfold consume --help", "python -c 'import pipeline.aws.projector_kcl, pipeline.aws.kcl.server'"]),
        ("local", ["mailfold demo --emails 20"]),
    ],
)
def test_an_installation_runs_the_commands_of_its_extra(
    extra: str, commands: list[str], wheel: Path, tmp_path: Path
) -> None:
    """Nothing of the checkout or of the development tools is needed."""
    environment = tmp_path / "environment"
    _run(UV, "venv", "--quiet", "--python", sys.executable, environment, cwd=tmp_path)
    find_links = [argument for folder in WHEELS for argument in ("--find-links", folder)]
    package = f"{wheel}[{extra}]" if extra else wheel
    _run(UV, "pip", "install", "--offline", "--no-index", *find_links, "--python", environment, package, cwd=tmp_path)
    for command in commands:
        _run("/bin/sh", "-c", f"PATH={environment}/bin:/usr/bin:/bin {command}", cwd=tmp_path)


def _run(*command: object, cwd: Path) -> None:
    subprocess.run(  # noqa: S603 - the project's own build and commands
        [str(argument) for argument in command], cwd=cwd, env={}, capture_output=True, check=True, timeout=WAIT_SECONDS
    )

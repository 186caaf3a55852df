"""A package installed from the wheel deploys the same as the checkout."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from pipeline.aws.deployment.bundle import build_bundle
from pipeline.aws.deployment.template import load_template
from tests.support.command import ROOT, WAIT_SECONDS
from tests.support.wheels import from_folder

MAIN = "import sys; from pipeline.cli.main import app; app(sys.argv[1:], prog_name='mailfold')"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the contents of the wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(  # noqa: S603 - the project's own build
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)],
        cwd=ROOT,
        capture_output=True,
        check=True,
        timeout=WAIT_SECONDS,
    )
    [wheel] = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "installed")
    return folder / "installed"


def mailfold(installed: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-c", MAIN, *arguments],
        cwd=installed.parent,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=True,
        timeout=WAIT_SECONDS,
    )


def test_the_wheel_has_template_lock_file_prices_and_sql(installed: Path) -> None:
    """The wheel has all data files, and no package but `pipeline`."""
    held = {file.relative_to(installed).as_posix() for file in installed.rglob("*") if file.is_file()}
    assert held >= {
        *("pipeline/infra/mailfold.yaml", "pipeline/infra/lambda.lock", "pipeline/schemas/log.json"),
        "pipeline/aws/cost/prices.json",
        *("pipeline/schemas/views/mails.sql", "pipeline/schemas/queries/history_of_a_mail.sql"),
    }
    assert {name.partition("/")[0].partition("-")[0] for name in held} == {"pipeline", "mailfold"}


def test_the_installed_wheel_prints_its_own_template(installed: Path) -> None:
    """The installed package prints the template in its own folder."""
    assert mailfold(installed, "deploy", "--template-only").stdout == load_template().text
    installed_template = installed / "pipeline" / "infra" / "mailfold.yaml"
    installed_template.write_text("# changed\n" + installed_template.read_text())
    assert mailfold(installed, "deploy", "--template-only").stdout == "# changed\n" + load_template().text


def test_the_installed_wheel_builds_the_same_bundle(installed: Path, tmp_path: Path) -> None:
    """The installed package builds the same bundle as the checkout."""
    with from_folder():
        mailfold(installed, "deploy", "--bundle-only", str(tmp_path / "bundle.zip"))
        assert (tmp_path / "bundle.zip").read_bytes() == build_bundle(runtime=load_template().runtime).data

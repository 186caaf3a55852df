"""The image of the consumer, tested without Docker: the Dockerfile is parsed, and its steps run on this machine."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from pipeline.aws.deployment.template import load_template
from pipeline.aws.kcl.configuration import HEALTH_PORT
from tests.acceptance.emulators.ministack import ROOT
from tests.support.cloudformation import consumed_by
from tests.support.dockerfile import FILE, stages

BUILD, IMAGE = stages()
(CONTAINER,) = consumed_by("container").properties("ConsumerTask")["ContainerDefinitions"]
WHEELS = ROOT / ".venv" / "image-wheels"
PREFIX = "/opt/mailfold"
IGNORE = (ROOT / ".dockerignore").read_text().splitlines()


def sources() -> list[str]:
    """Return the sources of all COPY instructions."""
    return [source for instruction in BUILD.all("COPY") for source in instruction.words[:-1]]


def locked(name: str) -> dict[str, str]:
    """Return the versions in a lock file by package."""
    pins = re.findall(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)", (ROOT / "infra" / name).read_text(), re.MULTILINE)
    return {str(canonicalize_name(package)): version for package, version in pins}


def project() -> dict[str, list[str]]:
    """Return the project's requirements, and those of each extra."""
    metadata = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return {"": metadata["dependencies"], **metadata["optional-dependencies"]}


def test_the_image_runs_the_command_of_the_template() -> None:
    """Entry point and command of the image equal the template's."""
    assert IMAGE.only("ENTRYPOINT").array == ["mailfold"]
    assert IMAGE.only("CMD").array == CONTAINER["Command"] == ["consume"]


def test_the_image_runs_as_the_user_of_the_template() -> None:
    """The user is not root."""
    user, group = IMAGE.only("USER").text.split(":")
    assert CONTAINER["User"] == f"{user}:{group}"
    assert int(user) > 0
    assert f"--uid {user} " in IMAGE.only("RUN").text


def test_the_volume_is_that_of_the_template() -> None:
    """Fargate keeps the folder's permissions only if the image declares the volume."""
    assert IMAGE.only("VOLUME").array == [mount["ContainerPath"] for mount in CONTAINER["MountPoints"]]
    assert f"TMPDIR={CONTAINER['MountPoints'][0]['ContainerPath']}" in IMAGE.only("ENV").words


def test_the_health_check_is_that_of_the_template() -> None:
    """Command, times and port of the health check are equal."""
    check = IMAGE.only("HEALTHCHECK")
    assert ["CMD", *check.array] == CONTAINER["HealthCheck"]["Command"]
    options = dict(word.removeprefix("--").split("=") for word in check.words if word.startswith("--"))
    declared = CONTAINER["HealthCheck"]
    assert options == {
        "interval": f"{declared['Interval']}s",
        "timeout": f"{declared['Timeout']}s",
        "start-period": f"{declared['StartPeriod']}s",
        "retries": str(declared["Retries"]),
    }
    assert IMAGE.only("EXPOSE").text == str(HEALTH_PORT)


def test_python_is_unbuffered_and_writes_no_bytecode() -> None:
    """Output appears at once, and the file system may be read-only."""
    assert {"PYTHONUNBUFFERED=1", "PYTHONDONTWRITEBYTECODE=1"} <= set(IMAGE.only("ENV").words)


def test_the_python_version_is_that_of_the_functions() -> None:
    """Both stages have the same pinned base image."""
    assert BUILD.base == IMAGE.base
    assert re.fullmatch(rf"python:{re.escape(load_template().runtime.python)}\.\d+-slim-[a-z]+", IMAGE.base)


def test_the_image_contains_no_build_tools() -> None:
    """The last stage copies the environment of the first one, and installs nothing."""
    copy_ = IMAGE.only("COPY")
    assert copy_.words == ["--from=build", PREFIX, PREFIX]
    assert "pip" not in IMAGE.only("RUN").text
    assert any("--without-pip" in step.text for step in BUILD.all("RUN"))
    assert not locked("build.lock").keys() & locked("consumer.lock").keys()


def test_packages_are_locked_by_hash_and_prebuilt() -> None:
    """Packages of an index are wheels with hashes, and the other steps use no index."""
    steps = [step.text for step in BUILD.all("RUN") if "pip" in step.text]
    locked_steps = [step for step in steps if " -r " in step]
    assert [step.rpartition("/")[2] for step in locked_steps] == ["consumer.lock", "build.lock"]
    for step in locked_steps:
        assert {"--require-hashes", "--only-binary", ":all:", "--no-deps"} <= set(step.split())
    for step in set(steps) - set(locked_steps):
        assert {"--no-index", "--no-build-isolation", "--without-pip"} & set(step.split())


def test_copied_sources_exist_and_are_not_ignored() -> None:
    """Each source exists, and .dockerignore lets it in."""
    for source in sources():
        assert (ROOT / source).exists(), source
        assert any(fnmatch(source, line[1:]) for line in IGNORE if line.startswith("!")), source


def test_dockerignore_lets_in_only_copied_sources() -> None:
    """History, environments and keys are not sent to the builder."""
    assert IGNORE[1] == "*"
    for line in (line[1:] for line in IGNORE if line.startswith("!")):
        assert any(fnmatch(source, line) for source in sources()), line


def test_the_whole_package_is_copied() -> None:
    """All files that pyproject.toml puts into a wheel are copied before it is built."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    included = settings["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert {*included, "pyproject.toml", "pipeline", settings["project"]["readme"], "LICENSE"} <= set(sources())


def test_the_lock_file_covers_the_extra_with_tested_versions() -> None:
    """The lock file has the requirements of the extra `kcl`, no development tools, and versions of the tests."""
    extras = project()
    needed = {
        str(canonicalize_name(Requirement(requirement).name))
        for extra in ("", "lambda", "kcl")
        for requirement in extras[extra]
        if not requirement.startswith("mailfold")
    }
    assert needed <= locked("consumer.lock").keys()
    assert not {"pyarrow", "duckdb", "moto", "sqlglot", "pytest", "mypy"} & locked("consumer.lock").keys()
    assert locked("consumer.lock").items() <= locked("../requirements.lock").items()
    assert locked("build.lock").items() <= locked("../requirements.lock").items()
    assert "://" not in (ROOT / "infra" / "consumer.lock").read_text()


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder that the steps of the first stage install into, with this machine's Python and without an index."""
    if not (WHEELS / "ready").exists():
        pytest.skip("the wheels of the image are missing: run `make wheels`")
    context, prefix = tmp_path_factory.mktemp("src"), tmp_path_factory.mktemp("opt") / "mailfold"
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(context),
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(WHEELS),
    }
    builder = tmp_path_factory.mktemp("builder")
    subprocess.run([sys.executable, "-m", "venv", str(builder)], check=True, timeout=600)  # noqa: S603 - what the Dockerfile says
    for step in BUILD.instructions:
        if step.name == "COPY":
            copy(*step.words, into=context)
        elif step.name == "ENV":
            environment |= dict(word.split("=", 1) for word in step.words)
        elif step.name == "RUN":
            program, *arguments = (word.replace(PREFIX, str(prefix)) for word in step.words)
            command = [str(builder / "bin" / program), *arguments]
            subprocess.run(command, cwd=context, env=environment, check=True, timeout=900)  # noqa: S603 - what the Dockerfile says
    return prefix


def copy(*words: str, into: Path) -> None:
    """Copy like `COPY`: files into a folder, or the content of a folder."""
    *names, to = words
    for name in names:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, into / to, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            (into / to).mkdir(exist_ok=True)
            shutil.copy(source, into / to)


def run(installed: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command that the image installs."""
    environment = {"PATH": f"{installed}/bin", "PYTHONDONTWRITEBYTECODE": "1", "TERM": "dumb"}
    return subprocess.run(  # noqa: S603 - what the Dockerfile says
        [str(installed / "bin" / command[0]), *command[1:]],
        env=environment,
        cwd=installed,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_steps_install_the_command(installed: Path) -> None:
    """The installed command prints its help."""
    process = run(installed, "mailfold", "consume", "--help")
    assert process.returncode == 0, process.stderr
    assert "--health-port" in process.stdout


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_steps_install_java_and_the_librarys_jars(installed: Path) -> None:
    """Java and the class path are in the installed folder."""
    program = (
        "from pipeline.aws.kcl.configuration import *; import os; print(find_java(os.environ)); print(classpath())"
    )
    process = run(installed, "python", "-c", program)
    assert process.returncode == 0, process.stderr
    assert all(line.startswith(str(installed)) for line in process.stdout.splitlines())


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_container_without_settings_names_the_missing_ones(installed: Path) -> None:
    """The command ends with 2 and names the variables."""
    process = run(installed, *IMAGE.only("ENTRYPOINT").array, *IMAGE.only("CMD").array)
    assert process.returncode == 2
    assert all(name in process.stderr for name in ("MAILFOLD_STREAM", "MAILFOLD_TABLE", "MAILFOLD_BUCKET"))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_only_locked_packages_are_installed(installed: Path) -> None:
    """Every installed package is in the lock file, except for Mailfold itself."""
    program = "from importlib.metadata import distributions; print(*(d.name for d in distributions()))"
    packages = {str(canonicalize_name(name)) for name in run(installed, "python", "-c", program).stdout.split()}
    assert packages <= locked("consumer.lock").keys() | {"mailfold"}


def test_the_dockerfile_is_parsed_completely() -> None:
    """The parser finds every RUN instruction of the first stage."""
    assert len(BUILD.all("RUN")) == FILE.read_text().split("\nFROM ")[1].count("\nRUN ")

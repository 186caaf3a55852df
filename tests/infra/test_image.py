"""The image of the consumer, as far as that can be seen without building it: no Docker is asked for here.

What builds it is read, and its steps are followed one by one on this machine.
"""

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

from pipeline.aws.deployment.template import load_template as to_deploy
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
    return [source for one in BUILD.all("COPY") for source in one.words[:-1]]


def locked(name: str) -> dict[str, str]:
    """Return the versions of a lock file by package."""
    found = re.findall(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)", (ROOT / "infra" / name).read_text(), re.MULTILINE)
    return {str(canonicalize_name(package)): version for package, version in found}


def project() -> dict[str, list[str]]:
    """Return the packages that the project needs, and those that each extra adds."""
    metadata = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return {"": metadata["dependencies"], **metadata["optional-dependencies"]}


def test_it_runs_the_consumer_as_the_template_does() -> None:
    assert IMAGE.only("ENTRYPOINT").array == ["mailfold"]
    assert IMAGE.only("CMD").array == CONTAINER["Command"] == ["consume"]


def test_it_runs_as_nobody_in_particular_and_the_template_as_the_same() -> None:
    user, group = IMAGE.only("USER").text.split(":")
    assert CONTAINER["User"] == f"{user}:{group}"
    assert int(user) > 0
    assert f"--uid {user} " in IMAGE.only("RUN").text


def test_where_the_template_mounts_a_volume_the_image_names_one() -> None:
    assert IMAGE.only("VOLUME").array == [one["ContainerPath"] for one in CONTAINER["MountPoints"]]
    assert f"TMPDIR={CONTAINER['MountPoints'][0]['ContainerPath']}" in IMAGE.only("ENV").words


def test_its_health_check_is_the_templates() -> None:
    checked = IMAGE.only("HEALTHCHECK")
    assert ["CMD", *checked.array] == CONTAINER["HealthCheck"]["Command"]
    options = dict(word.removeprefix("--").split("=") for word in checked.words if word.startswith("--"))
    of_template = CONTAINER["HealthCheck"]
    assert options == {
        "interval": f"{of_template['Interval']}s",
        "timeout": f"{of_template['Timeout']}s",
        "start-period": f"{of_template['StartPeriod']}s",
        "retries": str(of_template["Retries"]),
    }
    assert IMAGE.only("EXPOSE").text == str(HEALTH_PORT)


def test_what_it_says_is_told_at_once_and_nothing_is_written_into_it() -> None:
    assert {"PYTHONUNBUFFERED=1", "PYTHONDONTWRITEBYTECODE=1"} <= set(IMAGE.only("ENV").words)


def test_it_has_the_python_of_the_lambdas_pinned_by_version() -> None:
    assert BUILD.base == IMAGE.base
    assert re.fullmatch(rf"python:{re.escape(to_deploy().runtime.python)}\.\d+-slim-[a-z]+", IMAGE.base)


def test_nothing_to_build_with_is_in_it() -> None:
    """The last stage takes the environment from the first, and installs nothing."""
    copied = IMAGE.only("COPY")
    assert copied.words == ["--from=build", PREFIX, PREFIX]
    assert "pip" not in IMAGE.only("RUN").text
    assert any("--without-pip" in one.text for one in BUILD.all("RUN"))
    assert not locked("build.lock").keys() & locked("consumer.lock").keys()


def test_everything_from_an_index_is_pinned_by_hash_and_built_by_others() -> None:
    asked = [one.text for one in BUILD.all("RUN") if " -r " in one.text]
    assert [one.rpartition("/")[2] for one in asked] == ["consumer.lock", "build.lock"]
    assert all("--require-hashes" in one and "--only-binary :all:" in one and "--no-deps" in one for one in asked)
    others = [one.text for one in BUILD.all("RUN") if "pip" in one.text and one.text not in asked]
    assert all("--no-index" in one or "--no-build-isolation" in one or "--without-pip" in one for one in others)


def test_what_is_copied_is_there_and_let_in() -> None:
    for source in sources():
        assert (ROOT / source).exists(), source
        assert any(fnmatch(source, line[1:]) for line in IGNORE if line.startswith("!")), source


def test_nothing_else_is_let_in() -> None:
    """Whoever builds it sends no history, no environment, no keys to whatever builds."""
    assert IGNORE[1] == "*"
    for line in (line[1:] for line in IGNORE if line.startswith("!")):
        assert any(fnmatch(source, line) for source in sources()), line


def test_the_package_is_whole() -> None:
    """What pyproject.toml puts into a wheel is copied before it is made."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    included = settings["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert {*included, "pyproject.toml", "pipeline", settings["project"]["readme"], "LICENSE"} <= set(sources())


def test_the_lock_file_holds_what_the_extra_needs_and_no_more_than_the_tests_run_with() -> None:
    extras = project()
    needed = {
        str(canonicalize_name(Requirement(one).name))
        for extra in ("", "lambda", "kcl")
        for one in extras[extra]
        if not one.startswith("mailfold")
    }
    assert needed <= locked("consumer.lock").keys()
    assert not {"pyarrow", "duckdb", "moto", "sqlglot", "pytest", "mypy"} & locked("consumer.lock").keys()
    assert locked("consumer.lock").items() <= locked("../requirements.lock").items()
    assert locked("build.lock").items() <= locked("../requirements.lock").items()
    assert "://" not in (ROOT / "infra" / "consumer.lock").read_text()


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the first stage makes of what it is sent, by its own steps, on this machine's Python, without an index."""
    if not (WHEELS / "ready").exists():
        pytest.skip("what the image installs is not here: `make wheels` fetches it")
    sent, prefix = tmp_path_factory.mktemp("src"), tmp_path_factory.mktemp("opt") / "mailfold"
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(sent),
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(WHEELS),
    }
    builder = tmp_path_factory.mktemp("builder")
    subprocess.run([sys.executable, "-m", "venv", str(builder)], check=True, timeout=120)  # noqa: S603 - what the Dockerfile says
    for step in BUILD.instructions:
        if step.name == "COPY":
            copy(*step.words, into=sent)
        elif step.name == "ENV":
            environment |= dict(word.split("=", 1) for word in step.words)
        elif step.name == "RUN":
            program, *arguments = (word.replace(PREFIX, str(prefix)) for word in step.words)
            command = [str(builder / "bin" / program), *arguments]
            subprocess.run(command, cwd=sent, env=environment, check=True, timeout=300)  # noqa: S603 - what the Dockerfile says
    return prefix


def copy(*words: str, into: Path) -> None:
    """Copy what `COPY` does: files into a folder, or a folder's content."""
    *names, to = words
    for name in names:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, into / to, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            (into / to).mkdir(exist_ok=True)
            shutil.copy(source, into / to)


def run(installed: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": f"{installed}/bin", "PYTHONDONTWRITEBYTECODE": "1", "TERM": "dumb"}
    return subprocess.run(  # noqa: S603 - what the Dockerfile says
        [str(installed / "bin" / command[0]), *command[1:]],
        env=environment,
        cwd=installed,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_command_is_installed_by_those_steps(installed: Path) -> None:
    helped = run(installed, "mailfold", "consume", "--help")
    assert helped.returncode == 0, helped.stderr
    assert "--health-port" in helped.stdout


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_java_and_the_librarys_jars_are_installed_by_those_steps(installed: Path) -> None:
    program = (
        "from pipeline.aws.kcl.configuration import *; import os; print(find_java(os.environ)); print(classpath())"
    )
    found = run(installed, "python", "-c", program)
    assert found.returncode == 0, found.stderr
    assert all(line.startswith(str(installed)) for line in found.stdout.splitlines())


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_container_that_is_told_nothing_says_what_it_lacks(installed: Path) -> None:
    ended = run(installed, *IMAGE.only("ENTRYPOINT").array, *IMAGE.only("CMD").array)
    assert ended.returncode == 2
    assert all(name in ended.stderr for name in ("MAILFOLD_STREAM", "MAILFOLD_TABLE", "MAILFOLD_BUCKET"))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_nothing_more_is_installed_than_is_locked(installed: Path) -> None:
    listed = "from importlib.metadata import distributions; print(*(one.name for one in distributions()))"
    there = {str(canonicalize_name(name)) for name in run(installed, "python", "-c", listed).stdout.split()}
    assert there <= locked("consumer.lock").keys() | {"mailfold"}


def test_the_dockerfile_is_read_whole() -> None:
    assert len(BUILD.all("RUN")) == FILE.read_text().split("\nFROM ")[1].count("\nRUN ")

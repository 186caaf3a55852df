"""The Lambda bundle: complete, small, built for Lambda's processor, and reproducible byte for byte."""

import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from shutil import which
from typing import Any

import pytest

from pipeline.aws.deployment import bundle as bundling
from pipeline.aws.deployment.bundle import Bundle, build_bundle
from pipeline.aws.deployment.packing import source_files, to_zip, unzip_wheel
from pipeline.aws.deployment.template import LambdaRuntime, load_template
from pipeline.errors import UsageError
from tests.acceptance.emulators.ministack import ROOT
from tests.support.builders import a_bounce, a_delivery
from tests.support.lambda_events import a_firehose_event, a_kinesis_event
from tests.support.wheels import FOLDER, from_folder

MAX_BYTES = 15_000_000
LAMBDA = LambdaRuntime(python="3.14", architecture="arm64")
OTHERS = [f"python3.{minor}" for minor in range(11, 16)]
SAMPLES = {
    "pipeline.aws.lambdas.transform": a_firehose_event(a_bounce()),
    "pipeline.aws.lambdas.projector": a_kinesis_event(a_delivery()),  # not feedback, so no table is read
}
ANSWERS = {
    "pipeline.aws.lambdas.transform": lambda answer: answer["records"][0]["result"] == "Ok",
    "pipeline.aws.lambdas.projector": lambda answer: answer == {"batchItemFailures": []},
}

# Packages of Lambda's runtime beside Python itself.
RUNTIME = ("boto3", "botocore", "s3transfer", "dateutil", "six.py", "urllib3")

CALL = """
import importlib, json, sys, types
sys.path[:0] = sys.argv[2:]
module = importlib.import_module(sys.argv[1])
context = types.SimpleNamespace(
    function_name="f", memory_limit_in_mb=1, invoked_function_arn="arn", aws_request_id="id", tenant_id=None
)
answer = module.handler(json.load(sys.stdin), context)
print("\\n" + json.dumps({"answer": answer, "modules": sorted(sys.modules)}))
"""

PACK = """
import hashlib, sys
from pathlib import Path
from pipeline.aws.deployment.packing import source_files, sql_sources, to_zip, unzip_wheel
files = source_files(sys.argv[2:]) | sql_sources()
for file in sorted(Path(sys.argv[1]).glob("*.whl")):
    files |= unzip_wheel(file)
print(hashlib.sha256(to_zip(files)).hexdigest())
"""


@pytest.fixture(scope="module", autouse=True)
def _libraries() -> Iterator[None]:
    with from_folder():
        yield


@pytest.fixture(scope="module")
def bundle(_libraries: None) -> Bundle:
    """The bundle as it is deployed."""
    return build_bundle(runtime=LAMBDA)


@pytest.fixture(scope="module")
def unpacked(_libraries: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of an unpacked bundle for this machine."""
    folder = tmp_path_factory.mktemp("unpacked")
    with zipfile.ZipFile(BytesIO(build_bundle(runtime=None).data)) as archive:
        archive.extractall(folder)
    return folder


def locked(file: Path) -> set[str]:
    """Return the pins of a lock file, as `name==version`."""
    return set(re.findall(r"^[\w.-]+==[\w.]+", file.read_text(), re.MULTILINE))


def names(bundle: Bundle) -> list[str]:
    """Return the paths in a bundle."""
    with zipfile.ZipFile(BytesIO(bundle.data)) as archive:
        return archive.namelist()


def test_runtime_and_handlers_are_read_from_the_template() -> None:
    """The template names Lambda's Python, processor and handlers."""
    assert load_template().runtime == LAMBDA
    assert load_template().handlers == tuple(sorted((*SAMPLES, "pipeline.aws.lambdas.reconciler")))


def test_the_bundle_holds_the_statements_that_functions_run(bundle: Bundle) -> None:
    """The reconciler reads the view of the joined facts and the query of surges."""
    statements = {"pipeline/schemas/views/table_facts.sql", "pipeline/schemas/queries/bounce_surges.sql"}
    assert statements <= set(names(bundle))


def test_the_bundle_is_small(bundle: Bundle) -> None:
    """The bundle is far below Lambda's limit, and its hash is that of its bytes."""
    assert len(bundle.data) < MAX_BYTES
    assert sha256(bundle.data).hexdigest() == bundle.sha256


def test_machine_code_is_for_lambdas_python_and_processor(bundle: Bundle) -> None:
    """Compiled modules are built for Lambda's runtime, whatever this machine is."""
    machine_code = [name for name in names(bundle) if name.endswith(".so")]
    assert {name.partition("/")[0] for name in machine_code} == {"msgspec", "pybase64"}
    assert all(".cpython-314-aarch64-linux-gnu." in name for name in machine_code)


def test_the_bundle_holds_the_handlers_and_their_imports_only(bundle: Bundle) -> None:
    """The bundle has the handlers and their imports, but neither boto3 nor modules of the command line."""
    paths = names(bundle)
    assert {f"{name.replace('.', '/')}.py" for name in load_template().handlers} <= set(paths)
    assert {"pipeline/decode.py", "pipeline/standing.py", "pipeline/aws/dynamodb.py"} <= set(paths)
    unwanted = ("boto3/", "botocore/", "pyarrow/", "pipeline/cli/", "pipeline/local/", "pipeline/aws/deployment/")
    assert [name for name in paths if name.startswith(unwanted)] == []
    assert [name for name in paths if "__pycache__" in name or name.endswith(".pyc") or name.startswith("bin/")] == []


def test_entries_are_readable_and_have_no_real_time(bundle: Bundle) -> None:
    """Every entry is sorted, readable by all, uncompressed and has a constant time."""
    with zipfile.ZipFile(BytesIO(bundle.data)) as archive:
        entries = archive.infolist()
    assert [entry.filename for entry in entries] == sorted({entry.filename for entry in entries})
    assert {
        (entry.date_time, entry.external_attr >> 16, entry.create_system, entry.compress_type) for entry in entries
    } == {((1980, 1, 1, 0, 0, 0), 0o100644, 3, zipfile.ZIP_STORED)}


def test_a_second_build_has_the_same_bytes(bundle: Bundle) -> None:
    """The bytes do not depend on the umask or on the time of the build."""
    mask = os.umask(0o077)
    try:
        assert build_bundle(runtime=LAMBDA) == bundle
    finally:
        os.umask(mask)


@pytest.mark.parametrize("python", [sys.executable, *OTHERS], ids=["this", *OTHERS])
def test_every_python_builds_the_same_bytes(python: str, bundle: Bundle, tmp_path: Path) -> None:
    """Every Python on this machine builds the same bytes, whatever its hash seed and time zone."""
    if not _runs(python):
        pytest.skip(f"{python} is not on this machine")
    wheels = bundling.fetch_wheels(tmp_path, runtime=LAMBDA)
    assert len(wheels) == len(locked(ROOT / "infra" / "lambda.lock"))
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo"}
    built = subprocess.run(  # noqa: S603 - a Python of this machine
        [python, "-c", PACK, str(tmp_path), *load_template().handlers],
        env=environment | {"PYTHONDONTWRITEBYTECODE": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    assert built.stdout.strip() == bundle.sha256


@pytest.mark.parametrize("module", SAMPLES)
def test_a_handler_runs_with_nothing_installed_but_the_bundle(module: str, unpacked: Path, tmp_path: Path) -> None:
    """A handler answers an event with the bundle and Lambda's own packages only, and not from this checkout."""
    for name in RUNTIME:
        package = next(Path(folder) / name for folder in sys.path if (Path(folder) / name).exists())
        (tmp_path / name).symlink_to(package)
    called = subprocess.run(  # noqa: S603 - this very Python
        [sys.executable, "-I", "-S", "-c", CALL, module, str(unpacked), str(tmp_path)],
        env={"MAILFOLD_TABLE": "table", "MAILFOLD_BUCKET": "bucket", "AWS_DEFAULT_REGION": "eu-west-1"},
        input=json.dumps(SAMPLES[module]),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert called.returncode == 0, called.stderr
    output: Any = json.loads(called.stdout.splitlines()[-1])
    assert ANSWERS[module](output["answer"])
    loaded_modules = {name for name in output["modules"] if name.partition(".")[0] == "pipeline"}
    assert loaded_modules
    assert loaded_modules <= {
        path.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for path in source_files([module])
    }


def test_imports_in_functions_and_for_types_are_found() -> None:
    """Imports inside functions and under TYPE_CHECKING belong to the source files of a module."""
    files = source_files(["pipeline.aws.retry"])
    assert set(files) == {"pipeline/__init__.py", "pipeline/aws/__init__.py", "pipeline/aws/retry.py"}
    files = source_files(["pipeline.aws.stack"])
    assert {"pipeline/policy.py", "pipeline/aws/errors.py"} <= files.keys()
    command = source_files(["pipeline.cli.deploy"])
    assert {
        "pipeline/aws/deployment/bundle.py",
        "pipeline/cli/prompt.py",
    } <= command.keys()  # as module, and from package


def test_deployed_libraries_are_the_tested_versions() -> None:
    """Every pin of the bundle's lock file is in the lock file of the tests."""
    deployed, tested = (locked(ROOT / name) for name in ("infra/lambda.lock", "requirements.lock"))
    assert deployed
    assert deployed <= tested


def test_scripts_of_a_wheel_are_left_out(tmp_path: Path) -> None:
    """A wheel's scripts are not in the bundle, and its purelib and platlib files are at the top."""
    with zipfile.ZipFile(tmp_path / "a.whl", "w") as archive:
        for name in ("a/", "a/b.py", "a-1.data/scripts/run", "a-1.data/purelib/c.py", "a-1.data/platlib/d.so"):
            archive.writestr(name, name)
    assert sorted(unzip_wheel(tmp_path / "a.whl")) == ["a/b.py", "c.py", "d.so"]


def test_the_order_of_files_does_not_change_the_zip_file() -> None:
    """Equal files in another order result in equal bytes."""
    assert to_zip({"b": b"2", "a": b"1"}) == to_zip({"a": b"1", "b": b"2"})


def test_a_library_with_another_hash_is_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wheel whose hash differs from the lock file stops the build, and the message names the runtime."""
    links = tmp_path / "links"
    links.mkdir()
    for file in FOLDER.glob("*.whl"):
        links.joinpath(file.name).write_bytes(file.read_bytes() + b"!" * file.name.startswith("idna"))
    monkeypatch.setenv("PIP_FIND_LINKS", str(links))
    with pytest.raises(UsageError, match=r"pip cannot download .* for python3.14 on arm64: .* DO NOT MATCH THE HASHES"):
        build_bundle(runtime=LAMBDA)


def test_a_runtime_without_wheels_is_rejected() -> None:
    """The message names the runtime and the library that has no wheel for it."""
    with pytest.raises(UsageError, match=r"for python3.99 on arm64: .*No matching distribution found for msgspec"):
        build_bundle(runtime=LambdaRuntime(python="3.99", architecture="arm64"))


def test_a_python_without_pip_is_told_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the command that installs pip."""
    monkeypatch.setattr(bundling, "find_spec", lambda _: None)
    with pytest.raises(UsageError, match="ensurepip"):
        build_bundle(runtime=LAMBDA)


def _runs(python: str) -> bool:
    """Return True if this Python runs. A version manager may only have a placeholder that fails."""
    if which(python) is None:
        return False
    return subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode == 0  # noqa: S603 - a Python of this machine

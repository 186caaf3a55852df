"""Models of AWS's services, read as botocore reads them."""

from pathlib import Path
from typing import get_args

import pytest
from botocore.exceptions import DataNotFoundError
from botocore.loaders import Loader

from pipeline.aws.clients import Service, session
from pipeline.aws.service_models import ServiceModels

BOTOCORES = Loader()


@pytest.mark.parametrize("service", get_args(Service))
@pytest.mark.parametrize("kind", ["service-2", "endpoint-rule-set-1"])
def test_a_model_is_the_one_that_botocore_reads(service: str, kind: str) -> None:
    """So a client has the same operations, errors and endpoints."""
    models = ServiceModels(get_args(Service), "")  # clients of other tests have changed the shared one
    assert models.load_service_model(service, kind) == BOTOCORES.load_service_model(service, kind)


@pytest.mark.parametrize("name", ["_retry", "endpoints", "sdk-default-configuration", "partitions"])
def test_shared_data_are_those_that_botocore_reads(name: str) -> None:
    """They hold retries, regions and defaults of all services."""
    assert ServiceModels((), None).load_data(name) == BOTOCORES.load_data(name)


def test_a_missing_file_is_an_error() -> None:
    """Botocore handles it, such as for a service without waiters."""
    with pytest.raises(DataNotFoundError):
        ServiceModels((), None).load_data("no-such-data")


def test_the_users_models_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`AWS_DATA_PATH` names their folders, as for every program that uses botocore."""
    (tmp_path / "_retry.json").write_text('{"own": true}')
    monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path))
    models = session().get_component("data_loader")
    assert models.load_data("_retry") == {"own": True}

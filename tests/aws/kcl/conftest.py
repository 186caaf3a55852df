"""A cloud for record processors; see `tests.support.processor_cloud`."""

from collections.abc import Iterator

import pytest

from tests.support.processor_cloud import Cloud, moto_process


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    with moto_process() as url:
        yield url


@pytest.fixture
def cloud_without_table(moto_url: str) -> Cloud:
    return Cloud(moto_url)


@pytest.fixture
def cloud(cloud_without_table: Cloud) -> Cloud:
    cloud_without_table.create_table()
    return cloud_without_table

"""The tests with the real daemon are marked, and share what takes long to start."""

from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.slow)
            item.add_marker(pytest.mark.daemon)
            item.add_marker(pytest.mark.timeout(300))

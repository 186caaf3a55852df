"""botocore's models of AWS's services, found and decoded in a fifth of the time: a third of a Lambda's start.

botocore looks into the folder of each of its 400 services to find one, and decodes a megabyte of JSON with Python's
decoder. Import this module late, because it imports botocore.
"""

import os
from collections.abc import Sequence
from gzip import decompress
from pathlib import Path
from typing import Any

import msgspec
from botocore.loaders import JSONFileLoader, Loader


class ServiceModels(Loader):
    """botocore's loader for services that are known to exist.

    Args:
        services: Their names in boto3.
        data_path: The user's `AWS_DATA_PATH`; None if it is unset.
    """

    def __init__(self, services: Sequence[str], data_path: str | None) -> None:
        folders = [str(Path(folder).expanduser()) for folder in data_path.split(os.pathsep)] if data_path else []
        super().__init__(extra_search_paths=folders, file_loader=_ModelFiles())
        self._services = list(services)

    def list_available_services(self, type_name: str) -> list[str]:  # noqa: ARG002 - botocore's signature
        """Return the services."""
        return self._services


class _ModelFiles(JSONFileLoader):
    def load_file(self, file_path: str) -> Any:
        """Return what a file holds, compressed or not, or None if it does not exist."""
        for suffix, decoded in ((".json", bytes), (".json.gz", decompress)):
            path = Path(file_path + suffix)
            if path.is_file():
                return msgspec.json.decode(decoded(path.read_bytes()))
        return None

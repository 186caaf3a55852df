"""A zip file that is the same, byte for byte, wherever and whenever it is made of the same files.

Nothing is compressed: what comes out of a compressor depends on the release of zlib that Python was built with.
"""

import zipfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

EPOCH = (1980, 1, 1, 0, 0, 0)  # the first moment that a zip file can name
UNIX = 3  # the system whose file modes the entries have, whatever system this is
READABLE = 0o100644 << 16  # everybody may read it: Lambda runs as a user of its own

# Of a wheel's `….data` folder, the parts that an installation puts where modules are found; the others are programs and
# the like. packaging.python.org/en/latest/specifications/binary-distribution-format/
IMPORTABLE = frozenset({"purelib", "platlib"})


def archived(files: Mapping[str, bytes]) -> bytes:
    """Return files, by path, as a zip file."""
    written = BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(files):
            entry = zipfile.ZipInfo(path, EPOCH)
            entry.create_system, entry.external_attr = UNIX, READABLE
            archive.writestr(entry, files[path])
    return written.getvalue()


def unpacked(wheel: Path) -> dict[str, bytes]:
    """Return the files that a wheel puts where modules are found, by path."""
    files: dict[str, bytes] = {}
    with zipfile.ZipFile(wheel) as archive:
        for entry in archive.infolist():
            path = _installed(entry.filename)
            if path and not entry.is_dir():
                files[path] = archive.read(entry)
    return files


def _installed(path: str) -> str | None:
    folder, _, rest = path.partition("/")
    if not folder.endswith(".data"):
        return path
    part, _, inner = rest.partition("/")
    return inner if part in IMPORTABLE else None

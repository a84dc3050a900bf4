"""Writes zip and tar archives member by member, so that tests can build unusual ones."""

import io
import stat
import tarfile
import warnings
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from covidscan.scoring.opening import Source, open_source

LIMIT_BYTES = 1000


def read_all(
    source: Source | Path, skip: Iterable[str] = (), limit_bytes: int = LIMIT_BYTES
) -> dict[str, bytes | str]:
    """Return the content of each file, or its problem, by name."""
    if isinstance(source, Path):
        source = open_source(source, limit_bytes=limit_bytes)
    found: dict[str, bytes | str] = {}
    for file in source.files(skip=frozenset(skip)):
        assert file.name not in found
        found[file.name] = file.fault.problem if file.fault else file.read(limit_bytes)
    return found


def write_zip(
    path: Path,
    members: Iterable[tuple[str, bytes]],
    *,
    links: Mapping[str, str] | None = None,
    method: int = zipfile.ZIP_DEFLATED,
) -> Path:
    """Write the members in this order, duplicate names included; then the symbolic links."""
    with zipfile.ZipFile(path, "w", method) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, content in members:
            archive.writestr(name, content)
        for name, target in (links or {}).items():
            info = zipfile.ZipInfo(name)
            info.create_system = 3
            info.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(info, target)
    return path


def write_tar(path: Path, members: Iterable[tuple[str, bytes | tuple[bytes, str]]]) -> Path:
    """Write regular members from their content, and others from their type and link target."""
    suffix = path.suffix.removeprefix(".")
    with tarfile.open(path, f"w:{suffix}" if suffix != "tar" else "w") as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            if isinstance(content, bytes):
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
            else:
                info.type, info.linkname = content
                archive.addfile(info)
    return path

"""The members of a ZIP archive."""

import stat
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

from covidscan.scoring.links import folders_above, member_key, resolve_link
from covidscan.scoring.source import File, SourceError
from covidscan.scoring.zip_members import MemberError, ZipMember, find_overlapping, read_member
from covidscan.scoring.zip_names import NameTolerantFile, raw_name
from system.folder import LeftOut
from system.names import UniqueNames, is_system_file, readable_name
from system.regular_files import open_regular_reader

_MAX_LINK_BYTES: Final = 4096


def is_zip(path: Path) -> bool:
    """Return whether a file ends like a ZIP archive. Self-extracting archives do as well."""
    return zipfile.is_zipfile(path)


class ZipSource:
    """A ZIP archive.

    Args:
        path: the archive.
        limit_bytes: the limit for a member. Larger members are cut after one byte more.

    Raises:
        OSError: it cannot be read.
        SourceError: its directory is damaged.
    """

    def __init__(self, path: Path, limit_bytes: int) -> None:
        self._path, self._limit_bytes = path, limit_bytes
        self.left_out: Counter[LeftOut] = Counter()
        self._members: list[ZipMember] = []
        self._regular: dict[str, ZipMember] = {}
        self._folders: set[str] = set()
        names = UniqueNames()
        infos, undecodable = _read_directory(path)
        overlapping = find_overlapping(infos)
        for number, info in enumerate(infos):
            raw = raw_name(info, undecodable=number in undecodable)
            key = member_key(readable_name(raw))
            self._folders.update(folders_above(key))
            # Not ``info.is_dir()``, which fails for empty names.
            if info.filename.endswith("/"):
                self._folders.add(key)
                continue
            system = is_system_file(readable_name(raw))
            name = readable_name(raw) if system else names.add(raw)
            self._add(ZipMember(info, name, key, number in overlapping), system=system)
        self._resolve_links()

    def _add(self, member: ZipMember, *, system: bool) -> None:
        if member.file_type in {0, stat.S_IFREG}:
            # The last member of each name, as when the archive is unpacked.
            self._regular[member.key] = member
        if system:
            self.left_out[LeftOut.SYSTEM] += 1
        elif member.file_type in {0, stat.S_IFREG, stat.S_IFLNK}:
            self._members.append(member)
        else:
            self.left_out[LeftOut.SPECIAL] += 1

    def _resolve_links(self) -> None:
        """Replace each link by the member that it leads to."""
        links = [member for member in self._members if member.file_type == stat.S_IFLNK]
        if not links:
            return
        with open_regular_reader(self._path) as archive:
            targets = {link.key: _read_target(archive, link) for link in links}
        members, self._members = self._members, []
        for member in members:
            if member.file_type != stat.S_IFLNK:
                self._members.append(member)
                continue
            found = resolve_link(member.key, targets, self._regular.keys(), self._folders)
            if isinstance(found, LeftOut):
                self.left_out[found] += 1
            else:
                target = self._regular[found]
                self._members.append(ZipMember(target.info, member.name, found, target.overlaps))

    @property
    def count(self) -> int | None:
        """The number of members."""
        return len(self._members)

    def files(self, *, skip: frozenset[str]) -> Iterator[File]:
        """Yield all files except those named in ``skip``.

        Raises:
            SourceError: the archive can no longer be read.
        """
        try:
            with open_regular_reader(self._path) as archive:
                for member in self._members:
                    if member.name not in skip:
                        yield self._unpack(archive, member)
        except OSError as error:
            raise SourceError(f"{self._path} cannot be read: {error.strerror}") from error

    def _unpack(self, archive: IO[bytes], member: ZipMember) -> File:
        try:
            return File(member.name, data=read_member(archive, member, self._limit_bytes))
        except MemberError as error:
            return File(member.name, fault=error.fault)


def _read_target(archive: IO[bytes], link: ZipMember) -> str:
    try:
        return readable_name(read_member(archive, link, _MAX_LINK_BYTES))
    except MemberError:
        # Then it counts as a link to nothing.
        return ""


def _read_directory(path: Path) -> tuple[list[zipfile.ZipInfo], set[int]]:
    with open_regular_reader(path) as file:
        tolerant = NameTolerantFile(file)
        try:
            with zipfile.ZipFile(tolerant) as archive:
                return archive.infolist(), tolerant.undecodable
        except NotImplementedError as error:
            raise SourceError(f"{path} needs a later version of ZIP: {error}") from error
        except (zipfile.BadZipFile, ValueError, EOFError) as error:
            raise SourceError(f"{path} is damaged or cut off: it has no valid directory") from error

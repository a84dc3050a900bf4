"""The members of a tar archive, compressed or not."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from covidscan.scoring.links import folders_above, member_key, resolve_link
from covidscan.scoring.source import DamagedArchiveError, File, SourceError
from covidscan.scoring.tar_members import TAR_ERRORS, MemberKind, TarMember, TarReader, open_tar
from system.folder import LeftOut
from system.names import UniqueNames, is_system_file


def why_not_tar(path: Path) -> str | None:
    """Return why a file is not a tar archive; None if it begins as one, compressed or not."""
    try:
        with open_tar(path):
            return None
    except TAR_ERRORS as error:
        return str(error)


@dataclass
class _Seen:
    """What is known about the members so far, by their keys."""

    regular: dict[str, TarMember] = field(default_factory=dict)
    """The last member of each name, as when the archive is unpacked."""
    folders: set[str] = field(default_factory=set)
    symbolic: dict[str, str] = field(default_factory=dict)
    """The target of each symbolic link."""
    rows: list[tuple[str, TarMember | str]] = field(default_factory=list)
    """For each link, the name of its row and its member, or the key of a symbolic link."""


class TarSource:
    """A tar archive.

    Links come after all other members, because their targets may lie anywhere.

    Args:
        path: the archive.
        limit_bytes: the limit for a member. Larger members are cut after one byte more.
    """

    def __init__(self, path: Path, limit_bytes: int) -> None:
        self._path, self._limit_bytes = path, limit_bytes
        self.left_out: Counter[LeftOut] = Counter()

    @property
    def count(self) -> int | None:
        """None: the archive would have to be unpacked to count its members."""
        return None

    def files(self, *, skip: frozenset[str]) -> Iterator[File]:
        """Yield all files except those named in ``skip``.

        Raises:
            DamagedArchiveError: the archive cannot be read to its end.
            SourceError: the disk reports an error.
        """
        self.left_out.clear()
        seen = _Seen()
        failure: Exception | None = None
        try:
            with open_tar(self._path) as reader:
                try:
                    yield from self._members(reader, seen, skip)
                    reader.check_end()
                except TAR_ERRORS as error:
                    failure = error
                yield from self._linked(reader, seen, skip)
        except TAR_ERRORS as error:
            failure = failure or error
        if isinstance(failure, OSError) and failure.errno is not None:
            raise SourceError(f"{self._path} cannot be read: {failure.strerror}") from failure
        if failure is not None:
            raise DamagedArchiveError(f"{self._path} is damaged: {failure}") from failure

    def _members(self, reader: TarReader, seen: _Seen, skip: frozenset[str]) -> Iterator[File]:
        names = UniqueNames()
        for member in reader.members():
            key = member_key(member.name)
            seen.folders.update(folders_above(key))
            if member.kind is MemberKind.FOLDER:
                seen.folders.add(key)
                continue
            if member.kind is MemberKind.REGULAR:
                seen.regular[key] = member
            system = is_system_file(member.name)
            if system:
                self.left_out[LeftOut.SYSTEM] += 1
            elif member.kind is MemberKind.SPECIAL:
                self.left_out[LeftOut.SPECIAL] += 1
            name = None if system or member.kind is MemberKind.SPECIAL else names.add(member.name)
            if member.kind in {MemberKind.HARD_LINK, MemberKind.SYMBOLIC_LINK}:
                self._note_link(member, key, name, seen)
            elif name is not None and name not in skip:
                yield File(name, data=reader.read(member, self._limit_bytes + 1))

    def _note_link(self, member: TarMember, key: str, name: str | None, seen: _Seen) -> None:
        """Record a link. Without a name it gets no row, but other links may lead to it."""
        found: TarMember | str | LeftOut = key
        if member.kind is MemberKind.SYMBOLIC_LINK:
            seen.symbolic[key] = member.target
        else:
            found = _hard_link(member_key(member.target), seen)
            if isinstance(found, TarMember):
                seen.regular[key] = found
        if name is None:
            return
        if isinstance(found, LeftOut):
            self.left_out[found] += 1
        else:
            seen.rows.append((name, found))

    def _linked(self, reader: TarReader, seen: _Seen, skip: frozenset[str]) -> Iterator[File]:
        rows: list[tuple[int, str, TarMember]] = []
        for name, link in seen.rows:
            target: TarMember | LeftOut
            if isinstance(link, TarMember):
                target = link
            else:
                found = resolve_link(link, seen.symbolic, seen.regular.keys(), seen.folders)
                target = found if isinstance(found, LeftOut) else seen.regular[found]
            if isinstance(target, LeftOut):
                self.left_out[target] += 1
            elif name not in skip:
                rows.append((target.offset, name, target))
        # In the order of their targets, so that a compressed archive is read only once more.
        last: TarMember | None = None
        data = b""
        for _, name, target in sorted(rows, key=lambda row: row[:2]):
            if target is not last:
                last, data = target, reader.read(target, self._limit_bytes + 1)
            yield File(name, data=data)


def _hard_link(key: str, seen: _Seen) -> TarMember | str | LeftOut:
    """Return what a hard link refers to among the members before it."""
    if key in seen.regular:
        return seen.regular[key]
    if key in seen.symbolic:
        return key
    return LeftOut.LINK_OUTSIDE if ".." in key.split("/") else LeftOut.LINK_NOWHERE

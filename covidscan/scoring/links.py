"""Resolves links inside an archive: to a member, and never out of the archive."""

from collections import deque
from collections.abc import Mapping, Set
from typing import Final

from system.folder import LeftOut

_MAX_HOPS: Final = 40
"""The limit that Linux has."""


def member_key(name: str) -> str:
    """Return a member's name in the form that links are compared in: ``./a//b`` becomes ``a/b``."""
    return "/".join(_parts(name))


def resolve_link(
    name: str, links: Mapping[str, str], files: Set[str], folders: Set[str]
) -> str | LeftOut:
    """Follow a symbolic link, through others and through linked folders.

    Args:
        name: the link's key.
        links: each link's key, and its target relative to the link's folder.
        files: the keys of all regular members.
        folders: the keys of all folders.

    Returns:
        The key of the member that it leads to, or the reason if there is none.
    """
    waiting = deque(name.split("/"))
    found: list[str] = []
    hops = 0
    while waiting:
        part = waiting.popleft()
        if part == "..":
            if not found:
                return LeftOut.LINK_OUTSIDE
            found.pop()
            continue
        found.append(part)
        target = links.get("/".join(found))
        if target is None:
            continue
        hops += 1
        if hops > _MAX_HOPS:
            return LeftOut.LINK_LOOP
        if target.startswith("/"):
            return LeftOut.LINK_OUTSIDE
        found.pop()
        waiting.extendleft(reversed(_parts(target)))
    key = "/".join(found)
    if key in files:
        return key
    return LeftOut.LINK_FOLDER if not key or key in folders else LeftOut.LINK_NOWHERE


def folders_above(key: str) -> list[str]:
    """Return the keys of the folders that contain a member."""
    parts = key.split("/")
    return ["/".join(parts[:end]) for end in range(1, len(parts))]


def _parts(name: str) -> list[str]:
    return [part for part in name.split("/") if part not in {"", "."}]

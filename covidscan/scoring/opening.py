"""Opens a folder or an archive for scoring."""

from pathlib import Path
from typing import Final

from covidscan.scoring.archive_kind import ZIP_END, ZIP_MEMBER, ZIP_SPANNED
from covidscan.scoring.folder_source import FolderSource
from covidscan.scoring.source import DamagedArchiveError, File, Source, SourceError
from covidscan.scoring.tar_source import TarSource, why_not_tar
from covidscan.scoring.zip_source import ZipSource, is_zip
from system.regular_files import open_regular_reader

__all__ = ["DamagedArchiveError", "File", "Source", "SourceError", "open_source"]

_ZIP_STARTS: Final = (ZIP_MEMBER, ZIP_END, ZIP_SPANNED)


def open_source(path: Path, *, limit_bytes: int) -> Source:
    """Open a folder, a ZIP archive or a tar archive.

    Raises:
        SourceError: it is none of these, or cannot be read.
    """
    try:
        if path.is_dir():
            return FolderSource(path)
        with open_regular_reader(path) as file:
            start = file.read(len(ZIP_MEMBER))
        # Decided by the first bytes: the last member of a tar archive may be a ZIP archive.
        if start in _ZIP_STARTS:
            return ZipSource(path, limit_bytes)
        reason = why_not_tar(path)
        if reason is None:
            return TarSource(path, limit_bytes)
        if is_zip(path):
            return ZipSource(path, limit_bytes)
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}") from error
    raise SourceError(f"{path} is neither a folder nor a ZIP or tar archive ({reason})")

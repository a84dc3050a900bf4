"""The audit trail: one line per prediction, enough to replay it, without pixels and file names."""

import errno
import logging
import os
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import ClassVar, Final, Self

from api.prediction.results import ModelStatus, PredictionResult
from api.review_reason import ReviewReason
from api.schemas.common import Probabilities, Probability, Schema
from api.schemas.image import ImageInfo
from api.start_errors import AuditTrailError
from serving.contract import ClassName
from system.container_user import CHANGE_OWNER
from system.deadlines import DeadlineThreads, call_with_deadline
from system.regular_files import open_regular_descriptor, open_regular_reader

logger = logging.getLogger(__name__)

_MODE: Final = 0o600
_PATIENCE_SECONDS: Final = 5.0
"""How long to wait for a write; the disk may be a network disk."""


class AuditUnavailableError(Exception):
    """A prediction could not be recorded and is therefore withheld."""

    kind: ClassVar[str] = "audit-unavailable"
    retry_after_seconds: ClassVar[int] = 1


class AuditedModel(Schema):
    """The result of one model."""

    name: str
    version: int | None
    status: ModelStatus
    probabilities: Probabilities | None


class AuditRecord(Schema):
    """One prediction: its image, its models and its result."""

    time: datetime
    request_id: str
    key_id: str | None
    """The id of the API key, without its secret."""
    covidscan: str
    """The gateway's version."""
    preprocessing: str
    """The fingerprint of the preprocessing."""
    image: ImageInfo
    operating_point: Probability
    prediction: ClassName
    probabilities: Probabilities
    degraded: bool
    review_reasons: list[ReviewReason]
    models: list[AuditedModel]

    @classmethod
    def of(
        cls,
        result: PredictionResult,
        *,
        key_id: str | None,
        covidscan: str,
        preprocessing: str,
        operating_point: float,
    ) -> Self:
        """The record of a prediction."""
        return cls.model_validate(
            {
                "time": datetime.now(UTC),
                "request_id": result.request_id,
                "key_id": key_id,
                "covidscan": covidscan,
                "preprocessing": preprocessing,
                "image": result.image,
                "operating_point": operating_point,
                "prediction": result.prediction,
                "probabilities": result.probabilities,
                "degraded": result.degraded,
                "review_reasons": result.review_reasons,
                "models": result.models,
            }
        )


class AuditTrail:
    """Appends records to a file. The file is opened for each record, so it may be rotated.

    It must be a regular file: a pipe or a terminal, such as ``/dev/stdout``, may block for ever,
    and a partly written line would go unnoticed.

    Args:
        path: the file, in JSON Lines format.

    Raises:
        AuditTrailError: the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._has_partial_line = False
        try:
            self._has_partial_line = call_with_deadline(self._open, seconds=_PATIENCE_SECONDS)
        except OSError as error:
            reason = f"audit_file cannot be written: {error.strerror}"
            if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
                reason += (
                    f"; put {path} on a volume that the user of this process can write to (in the"
                    f" containers: {CHANGE_OWNER})"
                )
            elif error.errno in {errno.ENOSPC, errno.EDQUOT}:
                reason += f"; make room on the file system of {path}"
            raise AuditTrailError(reason) from error
        # One thread, so that the lines are in the order of the predictions.
        self._threads = DeadlineThreads("audit", threads=1, seconds=_PATIENCE_SECONDS)

    async def write(self, record: AuditRecord) -> None:
        """Append a record; it is in the file when this method returns.

        Raises:
            AuditUnavailableError: the record could not be written in time.
        """
        line = record.model_dump_json().encode() + b"\n"
        try:
            await self._threads.call(partial(self._append, line))
        except OSError as error:
            logger.exception("the audit trail cannot be written: %s", error.strerror)
            raise AuditUnavailableError(
                "the prediction could not be recorded and is therefore withheld; try again"
            ) from error

    def _open(self) -> bool:
        self._append(b"")
        return _ends_with_partial_line(self._path)

    def _append(self, line: bytes) -> None:
        descriptor = open_regular_descriptor(
            self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, mode=_MODE
        )
        try:
            # A single write with O_APPEND, because several gateways may share the file. If a full
            # disk has left a partial line, start a new line first.
            whole = b"\n" + line if self._has_partial_line else line
            written = os.write(descriptor, whole)
            self._has_partial_line = written != len(whole)
            if self._has_partial_line:
                raise OSError(errno.ENOSPC, "only part of the line was written")
        finally:
            os.close(descriptor)


def _ends_with_partial_line(path: Path) -> bool:
    """Whether a file ends with a partial line, which a full disk may have caused."""
    with open_regular_reader(path) as file:
        if file.seek(0, os.SEEK_END) == 0:
            return False
        file.seek(-1, os.SEEK_END)
        return file.read() != b"\n"

"""The schema of errors."""

from pydantic import ConfigDict

from api.rejection_reason import RejectionReason
from api.schemas.common import Schema


class Problem(Schema):
    """An error (RFC 9457)."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:covidscan:problem:rejected-image",
                    "title": "Rejected image",
                    "status": 422,
                    "detail": "the image is a colour picture, and chest images are greyscale; send"
                    " a chest CT or X-ray, or add ?force=true to predict anyway",
                    "instance": "/predict",
                    "request_id": "019ab0c2-64a4-7cf1-9c57-2f0a1d3b8e61",
                    "reasons": ["colour_photo"],
                }
            ]
        }
    )

    type: str
    """Stable and machine-readable."""
    title: str
    status: int
    detail: str
    """What went wrong and what to change."""
    instance: str
    """The path of the request."""
    request_id: str
    reasons: list[RejectionReason]
    """Why a readable image was rejected; empty for every other problem."""

"""The page has every text that it needs, and no unused ones."""

import re
from pathlib import Path

import pytest

from api.http.problem_table import PROBLEM_KINDS
from api.http.problems import INTERNAL_ERROR_KIND
from api.page.template_helpers import in_words
from api.page.texts import TEXTS, text
from api.prediction.results import ModelStatus
from api.rejection_reason import RejectionReason
from api.review_reason import ReviewReason
from api.schemas.problem import Problem
from imaging.dicom.description import WindowSource
from serving.contract import MODEL_NAMES


def test_every_problem_reason_and_status_has_a_text():
    kinds = {error.kind for error in PROBLEM_KINDS if hasattr(error, "kind")}
    needed = {
        f"problem.{INTERNAL_ERROR_KIND}",
        *(f"problem.{kind}" for kind in kinds),
        *(f"rejection.{reason}" for reason in RejectionReason),
        *(f"review.{reason}" for reason in ReviewReason),
        *(f"status.{status}" for status in ModelStatus),
        *(f"window.{source}" for source in WindowSource),
        *(f"model.{name}" for name in MODEL_NAMES),
    }
    assert needed <= TEXTS.keys()


def test_every_text_is_used_by_the_page(repository: Path):
    page = repository / "api" / "page"
    sources = "".join(
        file.read_text()
        for file in page.rglob("*")
        if file.suffix in {".html", ".js", ".py"} and "vendor" not in file.parts
    )
    composed_keys = r"(problem|rejection|review|status|window|model|viewer\.preset|explanation)\.\w"
    unused = {key for key in TEXTS if f'"{key}"' not in sources and f"'{key}'" not in sources}
    assert {key for key in unused if not re.match(composed_keys, key)} <= {
        "queue.waiting",
        "queue.working",
    }


def test_an_unknown_key_or_a_missing_parameter_raises_key_error():
    with pytest.raises(KeyError):
        text("nothing")
    with pytest.raises(KeyError):
        text("dicom.frame", frame=1)


def test_a_problem_of_an_unknown_type_has_a_general_text():
    problem = Problem(
        type="urn:covidscan:problem:not-found",
        title="Not Found",
        status=404,
        detail="Not Found",
        instance="/",
        request_id="",
        reasons=[],
    )
    assert in_words(problem) == "This did not work."

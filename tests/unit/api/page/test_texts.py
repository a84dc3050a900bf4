"""Every text that the page needs is there, and none that it does not."""

import re
from pathlib import Path

import pytest

from api.decoding.rejection_reason import RejectionReason
from api.decoding.review_reason import ReviewReason
from api.http.problem_table import PROBLEM_KINDS
from api.http.problems import INTERNAL_ERROR_KIND
from api.page.template_helpers import in_words
from api.page.texts import TEXTS, text
from api.prediction.results import ModelAnswerStatus
from api.schemas.problem import Problem
from imaging.dicom.description import WindowSource
from serving.contract import MODEL_NAMES


def test_every_problem_reason_and_state_has_its_words():
    kinds = {error.kind for error in PROBLEM_KINDS if hasattr(error, "kind")}
    needed = {
        f"problem.{INTERNAL_ERROR_KIND}",
        *(f"problem.{kind}" for kind in kinds),
        *(f"rejection.{reason}" for reason in RejectionReason),
        *(f"review.{reason}" for reason in ReviewReason),
        *(f"status.{status}" for status in ModelAnswerStatus),
        *(f"window.{source}" for source in WindowSource),
        *(f"model.{name}" for name in MODEL_NAMES),
    }
    assert needed <= TEXTS.keys()


def test_no_text_is_left_that_nothing_says(repository: Path):
    page = repository / "api" / "page"
    sources = "".join(
        file.read_text()
        for file in page.rglob("*")
        if file.suffix in {".html", ".js", ".py"} and "vendor" not in file.parts
    )
    named_by_parts = (
        r"(problem|rejection|review|status|window|model|viewer\.preset|explanation)\.\w"
    )
    unsaid = {key for key in TEXTS if f'"{key}"' not in sources and f"'{key}'" not in sources}
    assert {key for key in unsaid if not re.match(named_by_parts, key)} <= {
        "queue.waiting",
        "queue.working",
    }


def test_what_is_no_text_is_noticed():
    with pytest.raises(KeyError):
        text("nothing")
    with pytest.raises(KeyError):
        text("dicom.frame", frame=1)


def test_a_problem_that_is_not_ours_has_words_as_well():
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

"""Every exception that is meant for the client has a status, a title, and a time to try again."""

import importlib
import pkgutil
import struct
from collections.abc import Iterator

import numpy as np
import pytest

import api
import imaging
from api.fair_sharing.errors import OverloadedError
from api.http.errors import InvalidRequestError, RequestError, TooManyRequestsError
from api.http.problem_table import (
    ANSWERED,
    INTERNAL_ERROR,
    PROBLEM_KINDS,
    TEMPORARY,
    problem_kind,
)
from api.http.problems import problem_headers, to_problem
from imaging.decode import decode_image
from imaging.errors import ImageError, NoPixelsError, UndecodableImageError
from tests.image_files import GREY, RGB, bmp, png, png_chunk, png_rows, tiff


def load_all_modules() -> None:
    for package in (api, imaging):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)


def subclasses(base: type[Exception]) -> Iterator[type[Exception]]:
    for each in base.__subclasses__():
        yield each
        yield from subclasses(each)


def test_every_exception_for_the_client_has_a_row_of_its_own():
    load_all_modules()
    defined = {each for base in ANSWERED for each in subclasses(base)}
    ours = {each for each in defined if each.__module__.split(".")[0] in {"api", "imaging"}}
    assert len(ours) > 20
    assert ours - set(PROBLEM_KINDS) == set()


def test_a_subclass_without_a_row_is_answered_like_its_base():
    class NewError(NoPixelsError):
        pass

    assert problem_kind(NewError("x")) == PROBLEM_KINDS[NoPixelsError]


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"II+\0" + bytes(60), 415),
        (tiff(GREY.astype(np.float32).tobytes(), {258: 32, 339: 3}), 415),
        (bmp(b"\0\1", 8, compression=1, between=bytes(1024)), 415),
        (bmp(bytes(RGB.size * 2), 32, compression=3, between=struct.pack("<III", 1, 2, 4)), 422),
        (png(png_rows(GREY), before=101 * png_chunk(b"tEXt", b"a\0b")), 422),
    ],
    ids=["BigTIFF", "floating-point TIFF", "run-length BMP", "BMP masks", "PNG with many parts"],
)
def test_the_sender_of_an_intact_but_unsupported_file_is_advised_to_convert_it(
    data: bytes, status: int
):
    with pytest.raises(ImageError) as caught:
        decode_image(data)
    problem = to_problem(caught.value, "/predict", "1")
    assert problem.status == status
    assert "PNG" in problem.detail
    assert "undamaged" not in problem.detail
    assert "TIFF" not in problem.detail.rpartition("; ")[2]


def test_the_sender_of_a_file_that_decodes_too_slowly_is_advised_to_export_it_again():
    error = UndecodableImageError("the image takes too long to decode")
    assert to_problem(error, "/predict", "1").detail == (
        "the image takes too long to decode; export the image again, uncompressed or as a PNG"
    )


def test_any_other_exception_is_an_internal_error_without_its_message():
    problem = to_problem(LookupError("Mustermann"), "/predict", "1")
    assert problem_kind(LookupError("x")) == INTERNAL_ERROR
    assert problem.status == 500
    assert "Mustermann" not in problem.detail


@pytest.mark.parametrize("kind", PROBLEM_KINDS, ids=lambda kind: kind.__name__)
def test_a_503_or_429_says_when_to_try_again(kind: type[Exception]):
    # A base class is never raised itself.
    if PROBLEM_KINDS[kind].status in {429, 503} and kind.__subclasses__() == []:
        assert issubclass(kind, TEMPORARY)


def test_headers_are_those_of_the_exception_and_the_time_to_try_again():
    assert problem_headers(OverloadedError("x")) == {"Retry-After": "1"}
    assert problem_headers(TooManyRequestsError("1/s", 7)) == {"Retry-After": "7"}
    assert problem_headers(RequestError("x", {"Connection": "close"})) == {"Connection": "close"}
    assert problem_headers(InvalidRequestError("x")) == {}
    assert problem_headers(LookupError("x")) == {}

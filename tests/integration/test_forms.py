"""Forms as real clients send them, on every route that accepts one."""

import re
from collections.abc import Iterator

import httpx
import pytest
from fastapi.routing import APIRoute

from api.app import create_app
from api.http.form_request import FormRoute
from tests.integration.conftest import gateway
from tests.integration.routes import all_routes, settings_with

ROUTES = {"/predict": "file", "/predict/batch": "files", "/explain": "file", "/view": "file"}
UNKNOWN_IMAGE = "unknown-format"
"""The type of problem for a file that was read; it is not an image."""


@pytest.fixture(scope="module")
def service() -> Iterator[httpx.Client]:
    with gateway(settings_with()) as client:
        yield client


def post(
    service: httpx.Client, path: str, disposition: str, data: bytes = b"no image" * 1000
) -> tuple[int, str, str]:
    """Post a form with one part; returns status, type of problem and detail."""
    head = f"--b\r\nContent-Disposition: form-data; {disposition}\r\n\r\n"
    body = head.encode() + data + b"\r\n--b--\r\n"
    response = service.post(
        path, content=body, headers={"Content-Type": "multipart/form-data; boundary=b"}
    )
    if path == "/":
        return response.status_code, "", response.text
    problem = response.json()
    if "items" in problem:
        problem = problem["items"][0]["problem"]
    return response.status_code, problem["type"].rpartition(":")[2], problem["detail"]


def test_every_route_with_a_form_is_a_form_route():
    with_forms = {
        route.path
        for route in all_routes(create_app(settings_with()).routes)
        if isinstance(route, APIRoute) and "POST" in route.methods
    }
    assert with_forms == {*ROUTES, "/"}
    for route in all_routes(create_app(settings_with()).routes):
        if isinstance(route, APIRoute) and "POST" in route.methods:
            assert isinstance(route, FormRoute), route.path


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("filename", ["", "; filename*=utf-8''na%C3%AFve.png", "; filename=a.png"])
def test_a_file_is_read_with_and_without_a_file_name(
    service: httpx.Client, path: str, filename: str
):
    _, kind, _ = post(service, path, f'name="{ROUTES[path]}"{filename}')
    assert kind == UNKNOWN_IMAGE


@pytest.mark.parametrize("path", ROUTES)
def test_a_file_name_sent_as_text_is_answered_422_with_how_to_send_a_file(
    service: httpx.Client, path: str
):
    status, kind, detail = post(service, path, f'name="{ROUTES[path]}"', b"slice.png")
    assert (status, kind) == (422, "missing-file")
    assert f"{ROUTES[path]}=@" in detail
    assert "slice.png" not in detail


def test_the_page_reads_a_file_without_a_file_name(service: httpx.Client):
    assert post(service, "/", 'name="file"')[0] == 415
    status, _, page = post(service, "/", 'name="file"; filename=""', b"")
    assert (status, "No file" in page) == (422, True)


def test_an_extended_file_name_takes_precedence_and_is_returned(service: httpx.Client):
    body = (
        b"--b\r\nContent-Disposition: form-data; name=files; filename=x;"
        b" filename*=utf-8''na%C3%AFve%00.png\r\n\r\nno image\r\n--b--\r\n"
    )
    answer = service.post(
        "/predict/batch", content=body, headers={"Content-Type": "multipart/form-data; boundary=b"}
    ).json()
    assert answer["items"][0]["filename"] == "naïve\ufffd.png"


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("sent", ["image", "ImgFile", "files[]", "file_0", "upload.image"])
@pytest.mark.parametrize("filename", ["", '; filename="a.png"'])
def test_a_wrong_field_name_is_answered_422_with_both_names(
    service: httpx.Client, path: str, sent: str, filename: str
):
    status, kind, detail = post(service, path, f'name="{sent}"{filename}')
    assert (status, kind) == (422, "missing-file")
    assert f"'{ROUTES[path]}'" in detail
    assert f"'{sent}'" in detail


@pytest.mark.parametrize(
    "sent", ["Muster^Maria", "Muster Maria", "p19700101", "Müller", "x" * 40, "<b>", "1", ""]
)
def test_a_field_name_that_could_be_a_patient_name_is_not_returned(
    service: httpx.Client, sent: str
):
    _, kind, detail = post(service, "/predict", f'name="{sent}"')
    assert kind == "missing-file"
    assert not sent or sent not in detail.replace("'file'", "")


def test_unknown_fields_and_query_parameters_are_named(service: httpx.Client):
    files = {"file": ("a", b"x")}
    form = service.post("/predict", files=files, data={"threshold": "0.5"}).json()
    assert "'threshold'" in form["detail"]
    query = service.post("/predict?treshold=1&Muster+Maria=1", files=files).json()
    assert "'treshold'" in query["detail"]
    assert "Maria" not in query["detail"]


def test_the_page_names_an_unknown_field(service: httpx.Client):
    page = service.post("/", files={"file": ("a", b"x")}, data={"threshold": "0.5"})
    assert page.status_code == 422
    assert "threshold" in page.text


@pytest.mark.parametrize(
    ("path", "arguments"),
    [
        ("/predict", {"data": {"file": "a text"}}),
        ("/predict", {"json": {"file": "x"}}),
        ("/predict", {"content": b"x" * 5000, "headers": {"Content-Type": "image/png"}}),
        ("/predict/batch", {"data": {"files": "a text"}}),
        ("/predict?tta=many", {"files": {"file": ("a", b"x")}}),
        ("/predict?tta=" + "9" * 5000, {"files": {"file": ("a", b"x")}}),
        ("/predict?window=%00", {"files": {"file": ("a", b"x")}}),
        ("/predict?frame=%ED%A0%80&force=%FF", {"files": {"file": ("a", b"x")}}),
    ],
)
def test_details_contain_no_python_representations(
    service: httpx.Client, path: str, arguments: dict[str, object]
):
    response = service.post(path, **arguments)  # type: ignore[arg-type]
    assert response.status_code == 422
    assert not re.search(r"<class|Traceback|0x[0-9a-f]+|UploadFile|object at", response.text)

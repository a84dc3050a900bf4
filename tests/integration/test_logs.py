"""The service logs what operators need, without keys, file names or patient data."""

import contextlib
import io
import json
import logging
import socket
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydicom.uid import UID

from api.http.access.api_keys import create_key
from api.http.access.key_file import change_key_file
from api.observability.log_format import LogFormat
from covidscan.service.service_logs import configure_service_logging
from tests.dicom_files import make_dicom
from tests.service_process import running_service

MARK = "Muster-Maria-19700101"


def png_with_text(png: bytes, text: str) -> bytes:
    """The image with a text chunk, in which DICOM converters write patient names."""
    content = b"tEXtComment\0" + text.encode()
    chunk = struct.pack(">I", len(content) - 4) + content
    chunk += struct.pack(">I", zlib.crc32(content))
    return png[:33] + chunk + png[33:]


def send_mark_everywhere(client: httpx.Client, png: bytes) -> None:
    """Send requests with the mark in every place that a client controls."""
    marked = png_with_text(png, MARK)
    files = {"file": (f"{MARK}.png", marked, f"image/{MARK}")}
    assert client.post("/predict", files=files).status_code == 200
    client.post(f"/predict?patient={MARK}", files=files, headers={"Cookie": f"name={MARK}"})
    client.post("/predict/batch", files=[("files", (f"{MARK}.png", marked))] * 2)
    client.post("/", files=files)
    client.get("/models", headers={"User-Agent": MARK, "X-Request-ID": MARK, "Referer": MARK})
    client.get("/models", headers={"X-Forwarded-For": MARK, "traceparent": MARK})
    for path in (f"/{MARK}", f"/static/{MARK}", f"/docs/{MARK}"):
        client.get(path)
        client.request(MARK.replace("-", ""), path)
    named = {"PatientName": MARK, "PatientID": MARK, "StudyDescription": MARK, "ViewPosition": MARK}
    for dicom in (
        make_dicom(**named),
        make_dicom(**named)[:-50],
        make_dicom(**named, Modality=MARK),
        make_dicom(**named, Modality="MR"),
        make_dicom(**named, PixelData=None),
        make_dicom(**named, WindowCenter=1).replace(b"DS\x02\0001 ", b"DS\x02\0Mu"),
        make_dicom(**named, syntax=UID(f"1.2.{MARK[-8:]}")),
    ):
        answered = client.post("/predict", files={"file": (MARK, dicom)})
        assert MARK not in answered.text.replace(f'"filename":"{MARK}"', "")
    for damaged in (marked[:-50], MARK.encode(), marked[:60] + MARK.encode() + marked[60:]):
        client.post("/predict", files={"file": (MARK, damaged)})
    client.post("/predict", data={MARK: MARK, "file": MARK})
    client.post("/predict", files={"file": (MARK * 20, marked)})
    client.post("/predict", content=MARK.encode(), headers={"Content-Type": f"text/{MARK}"})
    broken = {"Content-Type": f"multipart/form-data; boundary={MARK}"}
    client.post("/predict", content=f"--{MARK}\r\n{MARK}: {MARK}\r\n".encode(), headers=broken)
    client.get("/models", headers={"X-API-Key": create_key(MARK)[0] + MARK})
    client.get("/models", headers={"Authorization": f"Basic {MARK}"})
    client.get("/models", headers={"Authorization": f"Bearer {MARK}"})
    for raw in (f"{MARK}\r\n\r\n", f"GET /{MARK} HTTP/1.1\r\n{MARK}\r\n\r\n"):
        address = (client.base_url.host, client.base_url.port)
        with socket.create_connection(address) as opened, contextlib.suppress(ConnectionError):
            opened.sendall(raw.encode())
            opened.recv(4096)


@pytest.fixture
def lines(tiny_volume: Path, phantom_png: bytes, tmp_path: Path) -> list[dict[str, Any]]:
    """The log after ``send_mark_everywhere``; checks that no output contains the mark."""
    key, record = create_key("pacs")
    change_key_file(tmp_path / "keys", lambda _: [record])
    log = tmp_path / "log"
    settings = {"api_keys_file": tmp_path / "keys", "audit_file": tmp_path / "audit.jsonl"}
    with (
        running_service(tiny_volume, log=log, **settings) as (process, address),
        httpx.Client(base_url=address, headers={"X-API-Key": key}, timeout=30) as client,
    ):
        send_mark_everywhere(client, phantom_png)
        metrics = client.get("/metrics").text
        process.terminate()
        process.wait(10)
    secret = key.split("_", 2)[2]
    audit = (tmp_path / "audit.jsonl").read_text()
    for output in (log.read_text(), metrics, audit):
        assert output
        for private in (MARK, MARK.replace("-", ""), secret, record.sha256, ".png"):
            assert private not in output
    return [json.loads(line) for line in log.read_text().splitlines()]


def test_a_request_is_logged_as_one_line_with_route_status_versions_and_sizes(
    lines: list[dict[str, Any]],
):
    requests = [line for line in lines if line["event"] == "request"]
    first = next(line for line in requests if line["route"] == "/predict")
    assert first["method"] == "POST"
    assert first["status"] == 200
    assert first["versions"] == {"vgg16": 1, "resnet50": 1, "xception": 1}
    assert 0 < first["duration_seconds"] < 60
    assert first["received_bytes"] > first["sent_bytes"] > 0
    assert len(first["key_id"]) == 8
    assert "client" not in first
    assert len({line["request_id"] for line in requests}) == len(requests)
    routes = {line["route"] for line in requests}
    assert routes == {"/predict", "/predict/batch", "/", "/models", "/static", "/metrics", "none"}


def test_a_rejected_request_is_logged_with_the_client_address_and_the_problem(
    lines: list[dict[str, Any]],
):
    rejected = [line for line in lines if line.get("status") == 401]
    assert rejected
    for line in rejected:
        assert line["client"] == "127.0.0.1"
        assert line["problem"] == "urn:covidscan:problem:unauthorized"
        assert "key_id" not in line


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """The output of logging as the service configures it."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    configure_service_logging(LogFormat.JSON)
    yield stream
    root.handlers[:] = before
    root.setLevel(level)


def test_an_exception_is_logged_with_its_type_and_line_but_not_its_message(logged: io.StringIO):
    try:
        create_key(f"{MARK} {MARK}")
    except ValueError:
        logging.getLogger("uvicorn.error").exception("Exception in ASGI application")
    line = json.loads(logged.getvalue())
    assert line["exception"] == "ApiKeysError"
    assert line["raised_at"][-1].startswith("api.http.access.api_keys:")
    assert MARK not in logged.getvalue()
    assert "Traceback" not in logged.getvalue()


def test_arguments_and_extra_fields_of_library_records_are_not_logged(logged: io.StringIO):
    logging.getLogger("python_multipart").warning("Did not find boundary in %r", MARK)
    logging.getLogger("elsewhere").warning("unexpected", extra={"route": "x", "patient": MARK})
    assert "Did not find boundary" in logged.getvalue()
    assert MARK not in logged.getvalue()

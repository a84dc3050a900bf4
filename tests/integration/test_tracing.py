"""Traces of a running service, as a collector receives them, and their propagation."""

import http.server
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import grpc.aio
import httpx
import numpy as np
import pytest
from opentelemetry import trace
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from serving.client import ModelServerClient, encode_images
from serving.errors import ModelServerError
from tests.service_process import running_service

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
MARK = "Muster-Maria"


@pytest.fixture
def collector() -> Iterator[tuple[str, list[Span]]]:
    """The address of a collector, and the spans that it has received."""
    spans: list[Span] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                import gzip

                body = gzip.decompress(body)
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                for scope in resource.scope_spans:
                    spans.extend(scope.spans)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", spans
        server.shutdown()
        thread.join()


def attributes(span: Span) -> dict[str, str]:
    return {each.key: str(each.value) for each in span.attributes}


def test_a_request_continues_the_trace_of_its_caller_down_to_the_three_models(
    tiny_volume: Path,
    phantom_png: bytes,
    collector: tuple[str, list[Span]],
    monkeypatch: pytest.MonkeyPatch,
):
    endpoint, spans = collector
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
    with running_service(tiny_volume, tracing=True, allowed_hosts="*") as (process, address):
        answer = httpx.post(
            f"{address}/predict",
            files={"file": (f"{MARK}.png", phantom_png)},
            headers={
                "traceparent": f"00-{TRACE}-{PARENT}-01",
                "tracestate": f"patient={MARK}",
                "baggage": f"patient={MARK}",
                "host": f"{MARK}.example",
            },
        )
        assert answer.status_code == 200
        httpx.get(f"{address}/{MARK}")
        httpx.get(f"{address}/models?patient={MARK}")
        httpx.post(f"{address}/predict?patient={MARK}", files={"file": phantom_png})
        process.terminate()
        assert process.wait(10) == 0
    caller_spans = {span.name: span for span in spans if span.trace_id.hex() == TRACE}
    assert set(caller_spans) == {
        "POST /predict",
        "decode",
        "predict vgg16",
        "predict resnet50",
        "predict xception",
    }
    request = caller_spans.pop("POST /predict")
    assert request.parent_span_id.hex() == PARENT
    for span in caller_spans.values():
        assert span.parent_span_id == request.span_id
        assert request.start_time_unix_nano <= span.start_time_unix_nano
        assert span.end_time_unix_nano <= request.end_time_unix_nano
    assert "int_value: 1" in attributes(caller_spans["predict vgg16"])["covidscan.version"]
    assert not [span for span in spans if MARK in str(span)]


@asynccontextmanager
async def listening(metadata: dict[str, str]) -> AsyncIterator[str]:
    """A model server that stores the metadata of calls and does not implement any."""

    class Recorder(grpc.GenericRpcHandler):
        def service(self, details: grpc.HandlerCallDetails) -> None:
            metadata.update(details.invocation_metadata)

    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Recorder(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield f"127.0.0.1:{port}"
    await server.stop(None)


async def ask(address: str) -> None:
    async with ModelServerClient(address) as client:
        with pytest.raises(ModelServerError):
            await client.predict(
                "vgg16", encode_images(np.zeros((1, 64, 64, 3), np.float32)), timeout_seconds=5
            )


@pytest.mark.parametrize("traced", [True, False])
async def test_a_call_to_the_model_server_carries_the_trace_context_if_there_is_one(traced: bool):
    metadata: dict[str, str] = {}
    context = trace.SpanContext(
        int(TRACE, 16), int(PARENT, 16), is_remote=False, trace_flags=trace.TraceFlags(1)
    )
    async with listening(metadata) as address:
        if traced:
            with trace.use_span(trace.NonRecordingSpan(context)):
                await ask(address)
        else:
            await ask(address)
    assert metadata.get("traceparent") == (f"00-{TRACE}-{PARENT}-01" if traced else None)
    assert "user-agent" in metadata

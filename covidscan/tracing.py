"""OpenTelemetry's SDK, set up: spans go to where ``OTEL_EXPORTER_OTLP_ENDPOINT`` says."""

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor


class PathRemover(SpanProcessor):
    """Takes paths and queries, which may name patients or keys, out of spans as they start.

    The route's template stays.
    """

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:  # noqa: ARG002
        """Take them out."""
        for name in ("url.path", "url.query"):
            if span.attributes and name in span.attributes:
                span.set_attribute(name, "")


def configure_tracing() -> TracerProvider:
    """Send spans from now on; the provider must be shut down, which sends the last."""
    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: "covidscan"}))
    provider.add_span_processor(PathRemover())
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    return provider

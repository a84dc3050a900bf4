"""Configures the OpenTelemetry SDK: spans go to ``OTEL_EXPORTER_OTLP_ENDPOINT``."""

from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.propagators.textmap import CarrierT, Getter, default_getter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator


class CallersTextRemover(SpanProcessor):
    """Removes from spans, as they start, what a caller has written: path, query and host.

    The route template stays.
    """

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:  # noqa: ARG002
        """Clear these attributes."""
        for name in ("url.path", "url.query", "server.address"):
            if span.attributes and name in span.attributes:
                span.set_attribute(name, "")


class TraceIdPropagator(TraceContextTextMapPropagator):
    """Takes only ids from a caller: the W3C header ``tracestate`` may hold arbitrary text."""

    def extract(
        self,
        carrier: CarrierT,
        context: Context | None = None,
        getter: Getter[CarrierT] = default_getter,
    ) -> Context:
        """Return the context with the caller's span, if the caller sends one."""
        extracted = super().extract(carrier, context, getter)
        theirs = trace.get_current_span(extracted).get_span_context()
        ids = trace.SpanContext(
            theirs.trace_id, theirs.span_id, is_remote=True, trace_flags=theirs.trace_flags
        )
        if not ids.is_valid:
            return extracted
        return trace.set_span_in_context(trace.NonRecordingSpan(ids), extracted)


def configure_tracing() -> TracerProvider:
    """Start sending spans. Shutting the provider down sends the last ones."""
    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: "covidscan"}))
    provider.add_span_processor(CallersTextRemover())
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    propagate.set_global_textmap(TraceIdPropagator())
    return provider

"""OpenTelemetry's SDK, set up: spans go to where ``OTEL_EXPORTER_OTLP_ENDPOINT`` says."""

from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.propagators.textmap import CarrierT, Getter, default_getter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator


class CallersTextRemover(SpanProcessor):
    """Takes out of spans, as they start, what a caller has written: path, query, host.

    The route's template stays.
    """

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:  # noqa: ARG002
        """Take them out."""
        for name in ("url.path", "url.query", "server.address"):
            if span.attributes and name in span.attributes:
                span.set_attribute(name, "")


class TraceIdPropagator(TraceContextTextMapPropagator):
    """Takes ids alone from a caller: of the W3C's headers ``tracestate`` may hold any text."""

    def extract(
        self,
        carrier: CarrierT,
        context: Context | None = None,
        getter: Getter[CarrierT] = default_getter,
    ) -> Context:
        """The context with the caller's span in it, where it names one."""
        extracted = super().extract(carrier, context, getter)
        theirs = trace.get_current_span(extracted).get_span_context()
        ids = trace.SpanContext(
            theirs.trace_id, theirs.span_id, is_remote=True, trace_flags=theirs.trace_flags
        )
        if not ids.is_valid:
            return extracted
        return trace.set_span_in_context(trace.NonRecordingSpan(ids), extracted)


def configure_tracing() -> TracerProvider:
    """Send spans from now on; the provider must be shut down, which sends the last."""
    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: "covidscan"}))
    provider.add_span_processor(CallersTextRemover())
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    propagate.set_global_textmap(TraceIdPropagator())
    return provider

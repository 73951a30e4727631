//! Spans for an OpenTelemetry collector: OTLP over HTTP, in batches, from a thread of its own.
//!
//! A collector that does not answer delays nothing: spans that do not fit into the queue are dropped.

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use std::sync::OnceLock;
use std::time::Duration;
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::registry::LookupSpan;

/// Name of the service in the collector.
const SERVICE: &str = "chancery";
/// How long the collector may take to answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Keeps the thread that sends.
static PROVIDER: OnceLock<SdkTracerProvider> = OnceLock::new();

/// Spans cannot be sent to this collector.
#[derive(Debug, thiserror::Error)]
#[error("cannot send spans to the OpenTelemetry collector")]
pub struct ExportError(#[from] ExporterBuildError);

/// What passes spans on to the collector at this URL, such as `http://127.0.0.1:4318/v1/traces`.
pub(super) fn layer<S>(collector: &str) -> Result<impl Layer<S> + Send + Sync + use<S>, ExportError>
where
    S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
{
    let exporter = SpanExporter::builder().with_http().with_endpoint(collector).with_timeout(TIMEOUT).build()?;
    // Nothing about this machine or from its environment.
    let resource = Resource::builder_empty().with_service_name(SERVICE).build();
    let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build();
    let tracer = provider.tracer(SERVICE);
    // An error says that the process has an exporter already.
    let _ = PROVIDER.set(provider);
    Ok(tracing_opentelemetry::layer::<S>().with_tracer(tracer))
}

/// Sends what is left, if the collector takes it within `deadline`.
pub(super) fn flush(deadline: Duration) {
    if let Some(provider) = PROVIDER.get() {
        // At the end of the process: whether or not everything was sent, nothing more can be done.
        let _ = provider.shutdown_with_timeout(deadline);
    }
}

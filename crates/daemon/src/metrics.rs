//! Counters, gauges and histograms of a process, as Prometheus reads them.
//!
//! Roles register their metrics and keep the handles; nothing is global. Label values come from closed sets (route
//! templates, codes, configured names), so that a client cannot create a new time series. Names are written exactly as
//! registered, because dashboards of Fulcio and Rekor ask for them.

use prometheus::core::Collector;
use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry, TextEncoder};
use std::sync::{Arc, Mutex, PoisonError};

pub use prometheus::{IntCounter as Counter, IntGauge as Gauge};

/// A metric cannot be registered: its name is taken or malformed. A defect of the program.
#[derive(Debug, thiserror::Error)]
#[error("metric {name}: {source}")]
pub struct MetricError {
    /// Of the metric.
    name: &'static str,
    source: prometheus::Error,
}

/// Buckets of durations that are mostly shorter than the first of Prometheus' default buckets, 5 ms.
const SHORT_SECONDS: [f64; 12] = [0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2.5, 10.0];

/// Values that are brought up to date before each scrape.
type Refresh = Box<dyn Fn() + Send + Sync>;

/// All metrics of a process. Clones share them.
#[derive(Clone, Default)]
pub struct Metrics {
    registry: Registry,
    refreshes: Arc<Mutex<Vec<Refresh>>>,
}

/// Counters that differ in their label values.
#[derive(Debug, Clone)]
pub struct Counters(IntCounterVec);

impl Counters {
    /// Adds one to the counter with these label values. Pass as many values as there are labels.
    pub fn increment(&self, labels: &[&str]) {
        // An error means a wrong number of labels, which the caller's tests would show.
        if let Ok(counter) = self.0.get_metric_with_label_values(labels) {
            counter.inc();
        }
    }

    /// Raises the counter with these label values to a total that is counted elsewhere and never falls.
    pub fn advance_to(&self, labels: &[&str], total: u64) {
        if let Ok(counter) = self.0.get_metric_with_label_values(labels) {
            counter.inc_by(total.saturating_sub(counter.get()));
        }
    }
}

/// Gauges that differ in their label values.
#[derive(Debug, Clone)]
pub struct Gauges(IntGaugeVec);

impl Gauges {
    /// Sets the gauge with these label values.
    pub fn set(&self, labels: &[&str], value: u64) {
        if let Ok(gauge) = self.0.get_metric_with_label_values(labels) {
            gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        }
    }

    /// Removes all label values. A gauge that is not set again before the scrape is no longer shown.
    pub fn clear(&self) {
        self.0.reset();
    }
}

/// Histograms of durations that differ in their label values.
#[derive(Debug, Clone)]
pub struct Durations(HistogramVec);

impl Durations {
    /// Records how long something took.
    pub fn observe(&self, labels: &[&str], took: std::time::Duration) {
        if let Ok(histogram) = self.0.get_metric_with_label_values(labels) {
            histogram.observe(took.as_secs_f64());
        }
    }
}

/// Histograms of numbers, such as sizes, that differ in their label values.
#[derive(Debug, Clone)]
pub struct Distributions(HistogramVec);

impl Distributions {
    /// Records a number.
    pub fn observe(&self, labels: &[&str], number: u32) {
        if let Ok(histogram) = self.0.get_metric_with_label_values(labels) {
            histogram.observe(f64::from(number));
        }
    }
}

impl Metrics {
    fn register<M: Collector + Clone + 'static>(
        &self,
        name: &'static str,
        made: prometheus::Result<M>,
    ) -> Result<M, MetricError> {
        let registered = made.and_then(|metric| {
            self.registry.register(Box::new(metric.clone()))?;
            Ok(metric)
        });
        registered.map_err(|source| MetricError { name, source })
    }

    /// A counter without labels.
    pub fn counter(&self, name: &'static str, help: &'static str) -> Result<Counter, MetricError> {
        self.register(name, Counter::new(name, help))
    }

    /// Counters with `labels`.
    pub fn counters(&self, name: &'static str, help: &'static str, labels: &[&str]) -> Result<Counters, MetricError> {
        self.register(name, IntCounterVec::new(Opts::new(name, help), labels)).map(Counters)
    }

    /// Gauges with `labels`.
    pub fn gauges(&self, name: &'static str, help: &'static str, labels: &[&str]) -> Result<Gauges, MetricError> {
        self.register(name, IntGaugeVec::new(Opts::new(name, help), labels)).map(Gauges)
    }

    /// Durations in seconds with `labels`, in Prometheus' default buckets.
    pub fn durations(&self, name: &'static str, help: &'static str, labels: &[&str]) -> Result<Durations, MetricError> {
        self.register(name, HistogramVec::new(HistogramOpts::new(name, help), labels)).map(Durations)
    }

    /// Numbers with `labels`; the buckets are the powers of two up to `1 << highest_power`.
    pub fn distributions(
        &self,
        name: &'static str,
        help: &'static str,
        labels: &[&str],
        highest_power: u8,
    ) -> Result<Distributions, MetricError> {
        let buckets = (0..=i32::from(highest_power)).map(|power| 2_f64.powi(power)).collect();
        let opts = HistogramOpts::new(name, help).buckets(buckets);
        self.register(name, HistogramVec::new(opts, labels)).map(Distributions)
    }

    /// As [`Self::durations`], for what takes from a tenth of a millisecond to some seconds.
    pub fn short_durations(
        &self,
        name: &'static str,
        help: &'static str,
        labels: &[&str],
    ) -> Result<Durations, MetricError> {
        let opts = HistogramOpts::new(name, help).buckets(SHORT_SECONDS.to_vec());
        self.register(name, HistogramVec::new(opts, labels)).map(Durations)
    }

    /// Calls `refresh` before each scrape, for values that are read only on demand. It must not block.
    pub fn before_scrape(&self, refresh: impl Fn() + Send + Sync + 'static) {
        self.refreshes.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(refresh));
    }

    /// Returns all metrics in Prometheus' text format, version 0.0.4.
    pub fn text(&self) -> Result<String, prometheus::Error> {
        for refresh in self.refreshes.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            refresh();
        }
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metrics")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn names_are_written_as_registered() {
        let metrics = Metrics::default();
        let certificates = metrics.counter("fulcio_new_certs", "Certificates").unwrap();
        let codes = metrics.counters("requests_total", "Requests", &["code"]).unwrap();
        let took = metrics.durations("seconds", "Durations", &["code"]).unwrap();
        let sizes = metrics.gauges("size", "Leaves", &["log"]).unwrap();
        let batches = metrics.distributions("entries", "Entries", &["log"], 3).unwrap();
        let statements = metrics.short_durations("short_seconds", "Durations", &["kind"]).unwrap();
        batches.observe(&["ct"], 3);
        statements.observe(&["head"], Duration::from_micros(700));
        metrics.before_scrape(move || sizes.set(&["ct"], 7));
        certificates.inc();
        codes.increment(&["2xx"]);
        codes.increment(&["2xx"]);
        codes.increment(&["2xx", "one too many"]);
        codes.advance_to(&["5xx"], 3);
        codes.advance_to(&["5xx"], 5);
        took.observe(&["2xx"], Duration::from_millis(30));
        let text = metrics.text().unwrap();
        for line in [
            "# TYPE fulcio_new_certs counter\nfulcio_new_certs 1\n",
            "\nrequests_total{code=\"2xx\"} 2\n",
            "\nrequests_total{code=\"5xx\"} 5\n",
            "\nsize{log=\"ct\"} 7\n",
            "\nseconds_bucket{code=\"2xx\",le=\"0.025\"} 0\n",
            "\nseconds_bucket{code=\"2xx\",le=\"0.05\"} 1\n",
            "\nentries_bucket{log=\"ct\",le=\"2\"} 0\n",
            "\nentries_bucket{log=\"ct\",le=\"4\"} 1\n",
            "\nentries_bucket{log=\"ct\",le=\"8\"} 1\n",
            "\nshort_seconds_bucket{kind=\"head\",le=\"0.0005\"} 0\n",
            "\nshort_seconds_bucket{kind=\"head\",le=\"0.001\"} 1\n",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
        assert!(metrics.counter("fulcio_new_certs", "again").is_err());
    }
}

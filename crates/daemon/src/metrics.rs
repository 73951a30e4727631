//! Counters, gauges and histograms of a process, as Prometheus reads them.
//!
//! Roles register their metrics and keep the handles; nothing is global. Label values come from closed sets (route
//! templates, codes, configured names), so that a client cannot create a new time series. Names are written exactly as
//! registered, because dashboards of Fulcio and Rekor ask for them.

use prometheus::core::{Collector, Desc};
use prometheus::proto::{MetricFamily, MetricType, Summary};
use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry, TextEncoder};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

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

/// Nanoseconds in a second: the unit of Rekor's durations.
const NANOSECONDS: f64 = 1e9;
/// Buckets of Rekor's durations, from one millisecond on.
const NANOSECOND_BUCKETS: i32 = 10;

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
pub struct Durations {
    histograms: HistogramVec,
    /// What a second is in the metric's unit.
    second: f64,
}

impl Durations {
    const fn in_seconds(histograms: HistogramVec) -> Self {
        Self { histograms, second: 1.0 }
    }

    const fn in_nanoseconds(histograms: HistogramVec) -> Self {
        Self { histograms, second: NANOSECONDS }
    }

    /// Records how long something took.
    pub fn observe(&self, labels: &[&str], took: Duration) {
        if let Ok(histogram) = self.histograms.get_metric_with_label_values(labels) {
            histogram.observe(took.as_secs_f64() * self.second);
        }
    }
}

/// Histograms that are shown as summaries without quantiles: the number and the sum of what was observed.
#[derive(Clone)]
struct Summaries(HistogramVec);

impl Collector for Summaries {
    fn desc(&self) -> Vec<&Desc> {
        self.0.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let mut families = self.0.collect();
        for family in &mut families {
            family.set_field_type(MetricType::SUMMARY);
            for metric in family.mut_metric() {
                let mut summary = Summary::default();
                summary.set_sample_count(metric.get_histogram().get_sample_count());
                summary.set_sample_sum(metric.get_histogram().get_sample_sum());
                metric.set_summary(summary);
            }
        }
        families
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
        self.register(name, HistogramVec::new(HistogramOpts::new(name, help), labels)).map(Durations::in_seconds)
    }

    /// Durations in nanoseconds with `labels`, as Rekor measures them: in ten buckets, each by the same factor larger than
    /// the one before, from a millisecond to `longest`.
    pub fn nanoseconds(
        &self,
        name: &'static str,
        help: &'static str,
        labels: &[&str],
        longest: Duration,
    ) -> Result<Durations, MetricError> {
        let shortest = Duration::from_millis(1).as_secs_f64() * NANOSECONDS;
        let factor = (longest.as_secs_f64() * NANOSECONDS / shortest).powf(1.0 / f64::from(NANOSECOND_BUCKETS - 1));
        let buckets = (0..NANOSECOND_BUCKETS).map(|power| shortest * factor.powi(power)).collect();
        let opts = HistogramOpts::new(name, help).buckets(buckets);
        self.register(name, HistogramVec::new(opts, labels)).map(Durations::in_nanoseconds)
    }

    /// The number and the sum of durations in nanoseconds with `labels`: a summary without quantiles.
    pub fn nanosecond_summaries(
        &self,
        name: &'static str,
        help: &'static str,
        labels: &[&str],
    ) -> Result<Durations, MetricError> {
        // One bucket, which is not shown.
        let opts = HistogramOpts::new(name, help).buckets(vec![NANOSECONDS]);
        let summaries = self.register(name, HistogramVec::new(opts, labels).map(Summaries))?;
        Ok(Durations::in_nanoseconds(summaries.0))
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
        self.register(name, HistogramVec::new(opts, labels)).map(Durations::in_seconds)
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

    #[test]
    fn rekor_s_durations_are_in_nanoseconds() {
        let metrics = Metrics::default();
        let labels = ["path", "method"];
        let latency = metrics.nanoseconds("latency", "Latency", &labels, Duration::from_mins(1)).unwrap();
        let summary = metrics.nanosecond_summaries("latency_summary", "Latency", &labels).unwrap();
        for durations in [&latency, &summary] {
            durations.observe(&["/api/v1/log", "GET"], Duration::from_millis(2));
            durations.observe(&["/api/v1/log", "GET"], Duration::from_secs(61));
        }
        let text = metrics.text().unwrap();
        // Labels are in the order of their names, whatever that of registration.
        let series = "{method=\"GET\",path=\"/api/v1/log\"";
        for line in [
            "# TYPE latency histogram\n",
            &format!("\nlatency_bucket{series},le=\"1000000\"}} 0\n"),
            &format!("\nlatency_bucket{series},le=\"+Inf\"}} 2\n"),
            &format!("\nlatency_count{series}}} 2\n"),
            "# TYPE latency_summary summary\n",
            &format!("\nlatency_summary_sum{series}}} 61002000000\n"),
            &format!("\nlatency_summary_count{series}}} 2\n"),
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
        let bounds: Vec<f64> = text
            .lines()
            .filter_map(|line| line.strip_prefix("latency_bucket")?.split_once("le=\"")?.1.split_once('"'))
            .filter_map(|(bound, _)| bound.parse().ok())
            .collect();
        assert_eq!(bounds.len(), 11, "{bounds:?}");
        assert!((bounds[9] / 60e9 - 1.0).abs() < 1e-9, "{bounds:?}");
        assert!(!text.contains("latency_summary_bucket"), "{text}");
    }
}

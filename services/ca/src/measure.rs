//! Metrics read at each scrape: when the authority's certificates expire, and how old its issuers' keys are.
//!
//! Labels are the names and patterns of the configuration. A pattern reports the worst of its issuers, so that
//! strangers who match it cannot create time series.

use crate::CertificateAuthority;
use crate::oidc::key_set_reads;
use chancery_daemon::clock::Clock as _;
use chancery_daemon::expiry::ExpiryWatch;
use chancery_daemon::metrics::{MetricError, Metrics};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Ages of the keys of one configured issuer, in seconds.
#[derive(Debug, Clone, Copy, Default)]
struct Keys {
    /// Since the oldest keys in use were fetched; `None` if there are none.
    age: Option<u64>,
    /// Since fetches began to fail.
    failing: u64,
}

/// Registers these metrics. `authority` is read before each scrape.
pub fn measure(authority: Arc<CertificateAuthority>, metrics: &Metrics) -> Result<(), MetricError> {
    let expires = metrics.gauges(
        "chancery_ca_seconds_left",
        "Seconds until the first certificate of the issuing chain expires; 0 afterwards",
        &[],
    )?;
    let ages = metrics.gauges(
        "chancery_jwks_age_seconds",
        "Seconds since the keys of an issuer were fetched; for a pattern, the oldest. Absent while there are none",
        &["issuer"],
    )?;
    let failing = metrics.gauges(
        "chancery_jwks_failing_seconds",
        "Seconds since fetching the keys of an issuer began to fail; for a pattern, the longest. 0 if fetching works",
        &["issuer"],
    )?;
    let reads = metrics.counters(
        "chancery_jwks_cache_reads_total",
        "Verifications of tokens, by result: hit if the keys of the issuer were at hand, or miss",
        &["result"],
    )?;
    metrics.before_scrape(move || {
        let (hits, misses) = key_set_reads();
        reads.advance_to(&["hit"], hits);
        reads.advance_to(&["miss"], misses);
        let now = authority.clock.now();
        expires.set(&[], ExpiryWatch::new(authority.pipeline().chain().expires()).seconds_left(now));
        // Clear first: an issuer may have been removed from the configuration, or a key set dropped.
        ages.clear();
        failing.clear();
        let mut worst: BTreeMap<String, Keys> = BTreeMap::new();
        for state in authority.authenticator().key_states() {
            let since = |time: chancery_verify::Timestamp| now.seconds().saturating_sub(time.seconds());
            let keys = worst.entry(state.configured).or_default();
            keys.age = keys.age.max(state.fetched.map(since));
            keys.failing = keys.failing.max(state.failing.map_or(0, |(begun, _)| since(begun)));
        }
        for (issuer, keys) in worst {
            failing.set(&[&issuer], keys.failing);
            if let Some(age) = keys.age {
                ages.set(&[&issuer], age);
            }
        }
    });
    Ok(())
}

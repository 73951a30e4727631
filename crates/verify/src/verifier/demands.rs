//! Decides the required counts of evidence. The judge sets them, otherwise the verifier's options. For a certificate, they
//! are the counts for its authority, once the authority is known.

use super::required::Required;
use super::{Judge, Options, VerifiedAuthority};
use crate::cosignature;
use crate::policy::AuthorityThresholds;

/// The required counts by authority, before the bundle's authority is known.
#[derive(Debug)]
pub(super) struct Demands {
    general: Required,
    of_authorities: Vec<(AuthorityThresholds, Required)>,
}

impl Demands {
    pub(super) fn new(options: &Options, judge: &impl Judge) -> Self {
        let thresholds = &options.thresholds;
        let quorum = thresholds.witnesses.as_ref().map_or(0, cosignature::Policy::quorum);
        let (general, authorities) = if let Some(policy) = judge.thresholds() {
            (Required::of_policy(policy, quorum), judge.thresholds_of_authorities())
        } else {
            let general = Required {
                log_entries: thresholds.log_entries,
                times: thresholds.times,
                timestamps: thresholds.timestamps,
                scts: thresholds.scts,
                witnesses: quorum,
            };
            (general, options.authorities.clone())
        };
        let required = |own: AuthorityThresholds| {
            let required = Required::of_policy(own.thresholds, quorum);
            (own, required)
        };
        Self { general, of_authorities: authorities.into_iter().map(required).collect() }
    }

    /// The counts for a signature by a bare key.
    pub(super) const fn general(&self) -> Required {
        self.general
    }

    /// The counts for a certificate of this authority.
    pub(super) fn of(&self, authority: &VerifiedAuthority) -> Required {
        let mut own = self.of_authorities.iter();
        let own = own.find(|(own, _)| own.are_for(&authority.url, &authority.certificates_sha256));
        own.map_or(self.general, |(_, required)| *required)
    }

    /// The smallest number of times that any certificate needs. Step 2 requires it, before the authority is known.
    pub(super) fn fewest_times(&self) -> Required {
        self.of_authorities.iter().fold(self.general, |least, (_, other)| Required {
            times: least.times.min(other.times),
            timestamps: least.timestamps.min(other.timestamps),
            ..least
        })
    }
}

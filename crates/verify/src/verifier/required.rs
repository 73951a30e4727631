//! How much of each kind of evidence one bundle must have: as the judge says, or else the verifier's options; and as they say for
//! the authority that issued the certificate, once that is known.

use super::{Judge, Options, VerifiedAuthority};
use crate::cosignature;
use crate::policy::{AuthorityThresholds, PolicyThresholds};

/// What must be counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Required {
    pub(super) log_entries: usize,
    pub(super) times: usize,
    pub(super) timestamps: usize,
    pub(super) scts: usize,
    /// Cosignatures by the witnesses of the options, which are the only ones that are known.
    pub(super) witnesses: usize,
}

/// What must be counted for whichever certificate a bundle has.
#[derive(Debug)]
pub(super) struct Demands {
    general: Required,
    of_authorities: Vec<(AuthorityThresholds, Required)>,
}

impl Required {
    fn of_policy(thresholds: PolicyThresholds, quorum: usize) -> Self {
        Self {
            log_entries: thresholds.logs.into(),
            times: thresholds.times.into(),
            timestamps: thresholds.timestamps.into(),
            scts: thresholds.scts.into(),
            witnesses: quorum.max(thresholds.witnesses.into()),
        }
    }
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

    /// For a signature by a bare key.
    pub(super) const fn general(&self) -> Required {
        self.general
    }

    /// For a certificate of this authority.
    pub(super) fn of(&self, authority: &VerifiedAuthority) -> Required {
        let mut own = self.of_authorities.iter();
        let own = own.find(|(own, _)| own.are_for(&authority.url, &authority.certificates_sha256));
        own.map_or(self.general, |(_, required)| *required)
    }

    /// The fewest times that any certificate needs: what can be asked before its authority is known.
    pub(super) fn fewest_times(&self) -> Required {
        self.of_authorities.iter().fold(self.general, |least, (_, other)| Required {
            times: least.times.min(other.times),
            timestamps: least.timestamps.min(other.timestamps),
            ..least
        })
    }
}

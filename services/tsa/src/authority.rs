//! The role: a request becomes a timestamp, or does not.

use crate::encoding::{Encoder, Moment};
use crate::{Error, Policies};
use chancery_daemon::authority::{AuthorityError, serial_number};
use chancery_daemon::clock::ClockGuard;
use chancery_daemon::random::Random;
use chancery_daemon::signer::Signer;
use chancery_verify::timestamping::{Authority, Request, Token};
use chancery_verify::{Rejection, Timestamp};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// At most one signature in so many milliseconds is verified.
const CHECK_INTERVAL_MS: u64 = 100;

/// A timestamp authority that can answer.
pub struct TimestampAuthority {
    authority: Authority,
    encoder: Encoder,
    signer: Arc<Signer>,
    policies: Policies,
    clock: ClockGuard,
    random: Arc<dyn Random>,
    /// Milliseconds: when a signature was verified last.
    checked: AtomicU64,
    /// Set when something was made that does not verify.
    defect: OnceLock<Rejection>,
}

impl TimestampAuthority {
    /// Puts the parts together.
    ///
    /// # Errors
    /// [`AuthorityError::OtherKey`] where `signer` is not the key of the chain's leaf.
    pub fn new(
        authority: Authority,
        signer: Arc<Signer>,
        policies: Policies,
        clock: ClockGuard,
        random: Arc<dyn Random>,
    ) -> Result<Self, AuthorityError> {
        if signer.public_key() != authority.leaf().public_key() {
            return Err(AuthorityError::OtherKey);
        }
        let encoder = Encoder::new(&authority)?;
        let (checked, defect) = (AtomicU64::new(0), OnceLock::new());
        Ok(Self { authority, encoder, signer, policies, clock, random, checked, defect })
    }

    /// Its certificates.
    #[must_use]
    pub const fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Why nobody gets a timestamp now, whatever they ask, if that is so.
    #[must_use]
    pub fn obstacle(&self) -> Option<Error> {
        self.time().err()
    }

    /// The time to sign.
    ///
    /// 1. Nothing was made before that does not verify.
    /// 2. The clock can be trusted.
    /// 3. Every certificate is valid.
    fn time(&self) -> Result<Timestamp, Error> {
        if let Some(defect) = self.defect.get() {
            return Err(Error::Corrupt(*defect));
        }
        let now = self.clock.now()?;
        if self.authority.is_valid_at(now) { Ok(now) } else { Err(Error::Expired) }
    }

    /// Answers a request with a `TimeStampResp` in DER.
    ///
    /// 1. The policy that is asked for is one of ours.
    /// 2. There is a time to sign.
    /// 3. The key signs it.
    /// 4. The answer is read as a client reads it and found to be what was asked for, by us, at a time that is ours.
    pub async fn timestamp(&self, request: &Request<'_>) -> Result<Vec<u8>, Error> {
        let policy = self.policies.select(request.policy).ok_or(Error::Policy)?;
        let time = self.time()?;
        let serial = serial_number(self.random.as_ref());
        let unsigned = self.encoder.unsigned(request, Moment { policy, serial, time });
        let signature = self.signer.sign(unsigned.message()).await?;
        let response = self.encoder.response(&unsigned, &signature, request.certificates);
        self.verify(&response, request, time).map_err(|rejection| {
            // Whatever made it makes others, too.
            Error::Corrupt(*self.defect.get_or_init(|| rejection))
        })?;
        Ok(response)
    }

    /// Everything but the signature is verified in every answer. Verifying a signature costs three times what making it
    /// does, so that it is done ten times a second at most: an authority that is not busy verifies all of them, and where
    /// memory or key have gone bad a busy one has noticed after a tenth of a second and stops. Signatures of keys that
    /// are elsewhere have all been verified when they came back.
    fn verify(&self, response: &[u8], request: &Request<'_>, time: Timestamp) -> Result<(), Rejection> {
        let token = Token::from_response(response)?;
        token.verify_answers(request)?;
        if token.info().time.seconds() != time.seconds() {
            return Err(Rejection::TimestampTime);
        }
        let checked = self.checked.load(Ordering::Relaxed);
        if time.millis().saturating_sub(checked) < CHECK_INTERVAL_MS {
            return self.authority.verify_contents(&token);
        }
        self.checked.store(time.millis(), Ordering::Relaxed);
        self.authority.verify(&token)
    }
}

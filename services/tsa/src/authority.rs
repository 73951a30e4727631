//! The role: answers a request with a timestamp, or refuses it.

use crate::encoding::{Encoder, Moment};
use crate::{Error, Profile};
use chancery_daemon::authority::{AuthorityError, serial_number};
use chancery_daemon::clock::{ClockFault, ClockGuard};
use chancery_daemon::random::Random;
use chancery_daemon::samples::Samples;
use chancery_daemon::signer::Signer;
use chancery_verify::timestamping::{Authority, Request, Token};
use chancery_verify::{Rejection, Timestamp};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

/// A key with its certificates, and the parts common to all of its answers.
struct Signing {
    authority: Authority,
    encoder: Encoder,
    signer: Arc<Signer>,
}

impl Signing {
    fn new(authority: Authority, signer: Arc<Signer>, profile: &Profile) -> Result<Self, AuthorityError> {
        if signer.public_key() != authority.leaf().public_key() {
            return Err(AuthorityError::OtherKey);
        }
        let encoder = Encoder::new(&authority, profile)?;
        Ok(Self { authority, encoder, signer })
    }
}

/// A timestamp authority.
pub struct TimestampAuthority {
    /// Replaced when the key is rotated. A request keeps the value it began with.
    signing: RwLock<Arc<Signing>>,
    profile: Profile,
    clock: Arc<ClockGuard>,
    random: Arc<dyn Random>,
    /// Which signatures are verified.
    samples: Samples,
    /// Set when an answer failed its own verification.
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
        profile: impl Into<Profile>,
        clock: impl Into<Arc<ClockGuard>>,
        random: Arc<dyn Random>,
    ) -> Result<Self, AuthorityError> {
        let (profile, clock) = (profile.into(), clock.into());
        let signing = RwLock::new(Arc::new(Signing::new(authority, signer, &profile)?));
        let (samples, defect) = (Samples::default(), OnceLock::new());
        Ok(Self { signing, profile, clock, random, samples, defect })
    }

    /// Signs with another key from the next request on. Requests in flight finish with the old key.
    ///
    /// # Errors
    /// [`AuthorityError::OtherKey`] where `signer` is not the key of the chain's leaf.
    pub fn replace(&self, authority: Authority, signer: Arc<Signer>) -> Result<(), AuthorityError> {
        let next = Arc::new(Signing::new(authority, signer, &self.profile)?);
        *self.signing.write().unwrap_or_else(PoisonError::into_inner) = next;
        Ok(())
    }

    fn signing(&self) -> Arc<Signing> {
        Arc::clone(&self.signing.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns the certificates of the key that signs now.
    #[must_use]
    pub fn authority(&self) -> Authority {
        self.signing().authority.clone()
    }

    /// Returns the key that signs now.
    #[must_use]
    pub fn signer(&self) -> Arc<Signer> {
        Arc::clone(&self.signing().signer)
    }

    /// When the first of these certificates expires. Signing stops then.
    #[must_use]
    pub fn expires(&self) -> Timestamp {
        self.signing().authority.expires()
    }

    /// Returns why every request is refused now, if so.
    #[must_use]
    pub fn obstacle(&self) -> Option<Error> {
        self.check(&self.signing(), self.clock.check()).err()
    }

    /// Returns the time to sign. One that is not signed must not bind the clock, so all checks come first.
    fn time(&self, signing: &Signing) -> Result<Timestamp, Error> {
        self.check(signing, self.clock.check())?;
        self.check(signing, self.clock.signing_time())
    }

    /// Returns `now`, after these checks:
    ///
    /// 1. No earlier answer failed its verification.
    /// 2. The clock can be trusted.
    /// 3. Every certificate is valid.
    fn check(&self, signing: &Signing, now: Result<Timestamp, ClockFault>) -> Result<Timestamp, Error> {
        if let Some(defect) = self.defect.get() {
            return Err(Error::Corrupt(*defect));
        }
        let now = now?;
        if signing.authority.is_valid_at(now) { Ok(now) } else { Err(Error::Expired) }
    }

    /// Answers a request with a `TimeStampResp` in DER.
    ///
    /// 1. The requested policy is one of ours.
    /// 2. There are no extensions, or extensions are copied.
    /// 3. There is a time to sign.
    /// 4. The key signs it.
    /// 5. The answer is parsed as a client does and matches the request, this authority and the time.
    pub async fn timestamp(&self, request: &Request<'_>) -> Result<Vec<u8>, Error> {
        let policy = self.profile.policies.select(request.policy).ok_or(Error::Policy)?;
        if request.extensions.is_some() && !self.profile.copies_extensions {
            return Err(Error::Request(Rejection::TimestampExtension));
        }
        let signing = self.signing();
        let time = self.time(&signing)?;
        let serial = serial_number(self.random.as_ref());
        let unsigned = signing.encoder.unsigned(request, Moment { policy, serial, time });
        let signature = signing.signer.sign(unsigned.message()).await?;
        let response = signing.encoder.response(&unsigned, &signature, request.certificates);
        self.verify(&signing.authority, &response, request, time).map_err(|rejection| {
            // The fault would affect other answers, too.
            Error::Corrupt(*self.defect.get_or_init(|| rejection))
        })?;
        Ok(response)
    }

    /// Every answer is verified, except that the signature is verified only for a sample. Verifying a signature costs
    /// three times as much as making it, so it is done at most ten times a second: an authority that is not busy
    /// verifies all signatures, and a busy one notices bad memory or a bad key within a tenth of a second and stops.
    /// Signatures of remote keys have all been verified on return.
    fn verify(
        &self,
        authority: &Authority,
        response: &[u8],
        request: &Request<'_>,
        time: Timestamp,
    ) -> Result<(), Rejection> {
        let token = Token::from_response(response)?;
        token.verify_answers(request)?;
        if token.info().time.seconds() != time.seconds() {
            return Err(Rejection::TimestampTime);
        }
        // Other authorities may add extensions of their own. This one does not.
        if token.info().extensions != request.extensions {
            return Err(Rejection::TimestampExtension);
        }
        if !self.samples.take(time) {
            return authority.verify_contents(&token);
        }
        let verdict = authority.verify(&token);
        self.samples.record(verdict.is_ok());
        verdict
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Policies, chain};
    use chancery_daemon::clock::{FixedClock, FixedUptime};
    use chancery_daemon::random::SystemRandom;
    use chancery_verify::key::KeyKind;
    use chancery_verify::timestamping::Imprint;
    use chancery_verify::{HashAlgorithm, Timestamp};
    use std::time::Duration;

    const START: Timestamp = Timestamp::from_seconds(1_795_244_400);

    #[tokio::test]
    async fn what_does_not_verify_does_not_leave_and_nothing_does_after_it() {
        let [signer, root] = [KeyKind::P256; 2].map(|kind| Signer::generate(kind).unwrap().0);
        let certificates = chain::create("Test", 1, &root, &signer, &SystemRandom, START).await.unwrap();
        let (clock, uptime) = (Arc::new(FixedClock::new(START)), Arc::new(FixedUptime::default()));
        let guard = ClockGuard::new(clock.clone(), uptime.clone(), START);
        let (signer, policies) = (Arc::new(signer), Policies::default());
        let authority = TimestampAuthority::new(certificates, signer, policies, guard, Arc::new(SystemRandom)).unwrap();
        let imprint = Imprint { hash: HashAlgorithm::Sha256, digest: &[7; 32], null_parameters: true };
        let request = Request { imprint, policy: None, nonce: Some(&[1]), certificates: false, extensions: None };
        let response = authority.timestamp(&request).await.unwrap();

        let mut signature = response.clone();
        *signature.last_mut().unwrap() ^= 1;
        let certificates = authority.authority();
        let verify = |response: &[u8], time: Timestamp| authority.verify(&certificates, response, &request, time);
        let later = |millis| Timestamp::from_millis(START.millis() + millis);
        assert_eq!(verify(&signature, later(99)), Ok(()), "not each signature is verified");
        assert_eq!(verify(&signature, later(100)), Err(Rejection::TimestampSignature));
        assert_eq!(verify(&response, later(1000)), Err(Rejection::TimestampTime));
        // The attribute that says once more when this was is in no client's interest but under the signature.
        let signing_time = chancery_verify::timestamping::SIGNING_TIME;
        let oid = signing_time.as_bytes();
        let start = response.windows(oid.len()).position(|window| window == oid).unwrap();
        let unread = start..start + oid.len() + 2 + 2 + "261121070000Z".len();
        for at in (0..response.len() - 80).filter(|at| !unread.contains(at)) {
            let mut changed = response.clone();
            changed[at] ^= 0x10;
            assert!(verify(&changed, later(101)).is_err(), "byte {at}");
        }
        let other = Request { nonce: Some(&[2]), ..request };
        assert_eq!(authority.verify(&certificates, &response, &other, later(101)), Err(Rejection::TimestampNonce));

        authority.defect.set(Rejection::TimestampSignature).unwrap();
        clock.set(START.plus_seconds(1));
        uptime.set(Duration::from_secs(1));
        assert!(matches!(authority.timestamp(&request).await, Err(Error::Corrupt(Rejection::TimestampSignature))));
        assert!(matches!(authority.obstacle(), Some(Error::Corrupt(_))));
    }
}

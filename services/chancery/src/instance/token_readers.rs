//! Readers of private logs, and of the state of the instance, by the tokens of issuers.
//!
//! `chancery-ca` knows tokens and `chancery-log` knows readers; they do not know each other. A token is verified as one that
//! asks for a certificate is, with the same limits to what it can make the server fetch. One that was accepted is remembered by
//! its hash, so that a reader of thousands of entries costs one verification; one that was not is not remembered, so that no
//! stranger fills the memory.

use anyhow::Context as _;
use chancery_ca::{
    IssuerSettings,
    oidc::{Authenticator, InvalidIssuer, TokenRefusal, http_fetcher},
};
use chancery_daemon::clock::Clock;
use chancery_log::reader::{Admission, Reader, RefusalKind, Refused};
use chancery_verify::{Hash, Timestamp, hash};
use moka::sync::Cache;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError, RwLock},
};

/// Tokens that are remembered. More readers at once cost a verification each time.
const MAX_TOKENS: u64 = 4096;
/// Seconds for which a token is remembered at most. A key that its issuer has removed is believed for that long in any case:
/// as long as a set of keys counts as fresh.
const REMEMBERED_SECONDS: u64 = 600;

/// What tokens open, in the words of refusals.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject {
    /// The setting that names the issuers.
    setting: &'static str,
    /// One plain word.
    realm: &'static str,
    /// Says what needs a token.
    needs: &'static str,
    /// Follows «the right to».
    right: &'static str,
}

/// Entries of private logs.
pub(super) const ENTRIES: Subject = Subject {
    setting: "[log.read] issuers",
    realm: "entries",
    needs: "entries of this log need a token",
    right: "read entries",
};

/// The state of the instance.
pub(super) const STATUS: Subject = Subject {
    setting: "[status.read] issuers",
    realm: "status",
    needs: "the status of this server needs a token",
    right: "read the status of this server",
};

/// Everybody with a token of one of these issuers.
pub(super) struct TokenReaders {
    subject: Subject,
    believed: RwLock<Arc<Believed>>,
    clock: Arc<dyn Clock>,
    /// Refused tokens, by reason.
    refused: Mutex<BTreeMap<&'static str, u64>>,
}

/// Whom they are accepted of, and those that were. Replaced together: what another list of issuers would refuse is forgotten.
struct Believed {
    authenticator: Authenticator,
    /// By SHA-256, until when.
    tokens: Cache<Hash, Timestamp>,
}

impl Believed {
    fn new(authenticator: Authenticator) -> Arc<Self> {
        Arc::new(Self { authenticator, tokens: Cache::new(MAX_TOKENS) })
    }
}

impl TokenReaders {
    pub(super) fn new(subject: Subject, issuers: Vec<IssuerSettings>, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        let authenticator = Authenticator::new(issuers, &http_fetcher).context(subject.setting)?;
        let believed = RwLock::new(Believed::new(authenticator));
        Ok(Self { subject, believed, clock, refused: Mutex::default() })
    }

    /// Accepts tokens of these issuers, and of no others, from the next request on.
    pub(super) fn believe(&self, issuers: Vec<IssuerSettings>) -> Result<(), InvalidIssuer> {
        let authenticator = self.believed().authenticator.reconfigured(issuers, &http_fetcher)?;
        *self.believed.write().unwrap_or_else(PoisonError::into_inner) = Believed::new(authenticator);
        Ok(())
    }

    /// How many tokens were refused, by reason.
    pub(super) fn refused(&self) -> BTreeMap<&'static str, u64> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn believed(&self) -> Arc<Believed> {
        Arc::clone(&self.believed.read().unwrap_or_else(PoisonError::into_inner))
    }

    async fn verify(&self, token: &str) -> Result<(), TokenRefusal> {
        let (now, believed, hash) = (self.clock.now(), self.believed(), hash::sha256(token.as_bytes()));
        if believed.tokens.get(&hash).is_some_and(|until| now < until) {
            return Ok(());
        }
        let (_, until) = believed.authenticator.authenticate_until(token, now).await?;
        believed.tokens.insert(hash, until.min(now.plus_seconds(REMEMBERED_SECONDS)));
        Ok(())
    }
}

impl Reader for TokenReaders {
    fn admit<'a>(&'a self, token: &'a str) -> Admission<'a> {
        Box::pin(async move {
            self.verify(token).await.map_err(|refusal| {
                let mut counts = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
                *counts.entry(refusal.code()).or_default() += 1;
                refused(self.subject, &refusal)
            })
        })
    }
}

/// What a reader is told about a token.
fn refused(subject: Subject, refusal: &TokenRefusal) -> Refused {
    let kind = match refusal {
        TokenRefusal::Missing => RefusalKind::Missing,
        TokenRefusal::IssuerUnreachable(_)
        | TokenRefusal::IssuerDocument(_)
        | TokenRefusal::IssuerStale
        | TokenRefusal::IssuerBusy => RefusalKind::Unavailable,
        TokenRefusal::Condition { .. }
        | TokenRefusal::ClaimUnfit { .. }
        | TokenRefusal::Subject { .. }
        | TokenRefusal::Identity { .. }
        | TokenRefusal::EmailUnverified
        | TokenRefusal::EmailMalformed => RefusalKind::Forbidden,
        // The token itself, or who made it.
        _ => RefusalKind::Token,
    };
    let message = match kind {
        RefusalKind::Missing => {
            format!("{}: send it in the header Authorization: Bearer TOKEN", subject.needs)
        }
        RefusalKind::Token => format!("the token is not accepted: {refusal}"),
        RefusalKind::Forbidden => format!("the token does not give the right to {}: {refusal}", subject.right),
        // What could not be fetched from where is not for strangers.
        RefusalKind::Unavailable => "the token cannot be verified at the moment; try again".to_owned(),
    };
    Refused { kind, code: refusal.code(), realm: subject.realm, message }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chancery_ca::{KeySource, identity::IssuerKind};

    /// A clock that is set by hand.
    struct Fixed(Mutex<Timestamp>);

    impl Clock for Fixed {
        fn now(&self) -> Timestamp {
            *self.0.lock().unwrap()
        }
    }

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    /// A key set without the key of any token here.
    const KEYS: &str =
        r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

    fn issuer(url: &str) -> IssuerSettings {
        let kind = IssuerKind::Email { address_claim: None, issuer_claim: None, accept_unverified: false };
        IssuerSettings { keys: KeySource::Static(KEYS.to_owned()), ..IssuerSettings::new(url, kind) }
    }

    fn readers() -> (Arc<Fixed>, TokenReaders) {
        let clock = Arc::new(Fixed(Mutex::new(NOW)));
        let readers = TokenReaders::new(ENTRIES, vec![issuer("https://a.test")], clock.clone()).unwrap();
        (clock, readers)
    }

    #[tokio::test]
    async fn refusals_have_a_family_and_are_counted_by_reason() {
        let (_, readers) = readers();
        for (token, kind, code) in [
            ("", RefusalKind::Missing, "token.missing"),
            ("x", RefusalKind::Token, "token.malformed"),
            ("x", RefusalKind::Token, "token.malformed"),
        ] {
            let refused = readers.admit(token).await.unwrap_err();
            assert_eq!((refused.kind, refused.code), (kind, code), "{refused}");
        }
        assert_eq!(readers.refused(), BTreeMap::from([("token.missing", 1), ("token.malformed", 2)]));
        let condition = refused(ENTRIES, &TokenRefusal::Condition { claim: "groups".to_owned() });
        assert_eq!(condition.kind, RefusalKind::Forbidden);
        assert!(condition.message.contains("groups"), "{condition}");
        assert!(condition.message.contains("right to read entries"), "{condition}");
        let missing = refused(STATUS, &TokenRefusal::Missing);
        assert_eq!((missing.realm, condition.realm), ("status", "entries"));
        assert!(missing.message.starts_with("the status of this server needs a token: "), "{missing}");
        let busy = refused(ENTRIES, &TokenRefusal::IssuerBusy);
        assert_eq!((busy.kind, busy.code), (RefusalKind::Unavailable, "issuer.busy"));
    }

    #[tokio::test]
    async fn what_was_accepted_is_remembered_until_its_time_or_another_list() {
        let (clock, readers) = readers();
        let hash = hash::sha256(b"a token");
        readers.believed().tokens.insert(hash, NOW.plus_seconds(60));
        assert_eq!(readers.admit("a token").await, Ok(()));
        assert!(readers.admit("another").await.is_err());
        *clock.0.lock().unwrap() = NOW.plus_seconds(60);
        assert!(readers.admit("a token").await.is_err());
        *clock.0.lock().unwrap() = NOW;
        assert_eq!(readers.admit("a token").await, Ok(()));
        readers.believe(vec![issuer("https://b.test")]).unwrap();
        assert!(readers.admit("a token").await.is_err());
    }
}

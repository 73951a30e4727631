//! Codes that are not redeemed yet: authorization codes and device codes.
//!
//! In memory only: after a restart users sign in again. Codes are limited in number and time, and redeemed at most
//! once. Pure: `now` and randomness are arguments. Codes have 256 random bits. The short user code of the device flow
//! is not a secret, because this issuer gives any token to any client that can reach it.

use super::input::{ClientId, CodeChallenge, EmailAddress};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chancery_daemon::random::Random;
use chancery_verify::Timestamp;
use std::collections::HashMap;

/// Maximum open codes of one kind.
pub(super) const CAPACITY: usize = 1024;
/// Lifetime of an authorization code. A program redeems it at once, a person who pastes it within minutes.
const CODE_LIFETIME_SECONDS: u64 = 300;
/// Lifetime of a device code: time to open the page, read the code and type an address.
pub(super) const DEVICE_LIFETIME_SECONDS: u64 = 600;
/// Seconds between two polls of a device. Short, because there is one user, who is waiting.
pub(super) const DEVICE_INTERVAL_SECONDS: u64 = 1;
/// RFC 8628 §3.5: seconds that `slow_down` adds to the interval.
const SLOW_DOWN_SECONDS: u64 = 5;
/// A client that sleeps for exactly the interval may poll this much too early by our clock.
const POLL_TOLERANCE_MS: u64 = 200;
/// RFC 8628 §6.1: without vowels there are no words, and without digits no misreading.
const USER_CODE_LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";

/// Too many codes are open.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

/// The request and user of an authorization code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Authorization {
    pub(super) client_id: ClientId,
    /// The client's redirect URI. It must send the same again.
    pub(super) redirect_uri: String,
    pub(super) challenge: CodeChallenge,
    pub(super) nonce: Option<String>,
    pub(super) email: EmailAddress,
}

/// The codes for a device.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct DeviceCodes {
    pub(super) device_code: String,
    /// `XXXX-XXXX`.
    pub(super) user_code: String,
}

/// The answer to a polling device.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Poll {
    /// No user has signed in yet.
    Pending,
    /// As [`Self::Pending`], and the device polls too often.
    SlowDown,
    /// The code has expired.
    Expired,
    /// The code is unknown, another client's or already redeemed, or the verifier is wrong.
    Unknown,
    /// A user has signed in. The code is spent.
    Granted(EmailAddress),
}

struct Device {
    user_code: String,
    client_id: ClientId,
    challenge: Option<CodeChallenge>,
    email: Option<EmailAddress>,
    interval_seconds: u64,
    last_poll: Option<Timestamp>,
    expires: Timestamp,
}

/// All open codes.
#[derive(Default)]
pub(super) struct Grants {
    authorizations: HashMap<String, (Authorization, Timestamp)>,
    devices: HashMap<String, Device>,
}

impl Grants {
    /// Makes a code for `authorization`.
    pub(super) fn authorize(
        &mut self,
        authorization: Authorization,
        now: Timestamp,
        random: &dyn Random,
    ) -> Result<String, Full> {
        self.authorizations.retain(|_, (_, expires)| now < *expires);
        if self.authorizations.len() >= CAPACITY {
            return Err(Full);
        }
        let code = secret(random);
        self.authorizations.insert(code.clone(), (authorization, now.plus_seconds(CODE_LIFETIME_SECONDS)));
        Ok(code)
    }

    /// Redeems a code. It is used up even if the caller then refuses the request (RFC 6749 §4.1.2).
    pub(super) fn redeem(&mut self, code: &str, now: Timestamp) -> Option<Authorization> {
        let (authorization, expires) = self.authorizations.remove(code)?;
        (now < expires).then_some(authorization)
    }

    /// Makes a device code and its user code.
    pub(super) fn start_device(
        &mut self,
        client_id: ClientId,
        challenge: Option<CodeChallenge>,
        now: Timestamp,
        random: &dyn Random,
    ) -> Result<DeviceCodes, Full> {
        if self.devices.len() >= CAPACITY {
            self.devices.retain(|_, device| now < device.expires);
        }
        if self.devices.len() >= CAPACITY {
            return Err(Full);
        }
        let codes = DeviceCodes { device_code: secret(random), user_code: user_code(random) };
        let device = Device {
            user_code: codes.user_code.clone(),
            client_id,
            challenge,
            email: None,
            interval_seconds: DEVICE_INTERVAL_SECONDS,
            last_poll: None,
            expires: now.plus_seconds(DEVICE_LIFETIME_SECONDS),
        };
        self.devices.insert(codes.device_code.clone(), device);
        Ok(codes)
    }

    /// Signs a user in for the device with this user code. Case and the dash are ignored. Returns whether such a device
    /// waits.
    pub(super) fn approve_device(&mut self, typed: &str, email: EmailAddress, now: Timestamp) -> bool {
        let letters =
            |text: &str| text.chars().filter(char::is_ascii_alphabetic).collect::<String>().to_ascii_uppercase();
        let typed = letters(typed);
        let waiting = self
            .devices
            .values_mut()
            .find(|device| device.email.is_none() && now < device.expires && letters(&device.user_code) == typed);
        if let Some(device) = waiting {
            device.email = Some(email);
            return true;
        }
        false
    }

    /// Answers a poll of a device.
    pub(super) fn poll_device(
        &mut self,
        code: &str,
        client_id: &ClientId,
        verifier: Option<&str>,
        now: Timestamp,
    ) -> Poll {
        let Some(device) = self.devices.get_mut(code).filter(|device| device.client_id == *client_id) else {
            return Poll::Unknown;
        };
        if now >= device.expires {
            self.devices.remove(code);
            return Poll::Expired;
        }
        let Some(email) = device.email.clone() else { return device.wait(now) };
        let is_answered =
            device.challenge.as_ref().is_none_or(|challenge| verifier.is_some_and(|v| challenge.is_answered_by(v)));
        self.devices.remove(code);
        if is_answered { Poll::Granted(email) } else { Poll::Unknown }
    }
}

impl Device {
    fn wait(&mut self, now: Timestamp) -> Poll {
        let interval_ms = self.interval_seconds * 1000 - POLL_TOLERANCE_MS;
        let too_soon = self.last_poll.is_some_and(|last| now.millis().saturating_sub(last.millis()) < interval_ms);
        self.last_poll = Some(now);
        if too_soon {
            self.interval_seconds += SLOW_DOWN_SECONDS;
            return Poll::SlowDown;
        }
        Poll::Pending
    }
}

fn secret(random: &dyn Random) -> String {
    let mut bytes = [0; 32];
    random.fill(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}

fn user_code(random: &dyn Random) -> String {
    let mut bytes = [0; 8];
    random.fill(&mut bytes);
    // 256 is not a multiple of 20, so some letters are 8 % more likely. The code is not a secret, so this does not matter.
    let letters = bytes.map(|byte| char::from(USER_CODE_LETTERS[usize::from(byte) % USER_CODE_LETTERS.len()]));
    let (first, last) = letters.split_at(4);
    format!("{}-{}", first.iter().collect::<String>(), last.iter().collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use chancery_daemon::random::SystemRandom;

    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

    fn client() -> ClientId {
        ClientId::parse("sigstore").unwrap()
    }

    fn email() -> EmailAddress {
        EmailAddress::parse("alice@example.test").unwrap()
    }

    fn challenge() -> CodeChallenge {
        CodeChallenge::parse("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "S256").unwrap()
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    fn authorization() -> Authorization {
        Authorization {
            client_id: client(),
            redirect_uri: "r".to_owned(),
            challenge: challenge(),
            nonce: None,
            email: email(),
        }
    }

    #[test]
    fn a_code_is_redeemed_once_and_in_time() {
        let mut grants = Grants::default();
        let code = grants.authorize(authorization(), at(0), &SystemRandom).unwrap();
        assert_eq!(code.len(), 43);
        assert_eq!(grants.redeem(&code, at(299)), Some(authorization()));
        assert_eq!(grants.redeem(&code, at(299)), None);
        let late = grants.authorize(authorization(), at(0), &SystemRandom).unwrap();
        assert_eq!(grants.redeem(&late, at(300)), None);
    }

    #[test]
    fn codes_are_bounded_and_expired_ones_make_room() {
        let mut grants = Grants::default();
        for _ in 0..CAPACITY {
            grants.authorize(authorization(), at(0), &SystemRandom).unwrap();
            grants.start_device(client(), None, at(0), &SystemRandom).unwrap();
        }
        assert_eq!(grants.authorize(authorization(), at(1), &SystemRandom), Err(Full));
        assert_eq!(grants.start_device(client(), None, at(1), &SystemRandom), Err(Full));
        assert!(grants.authorize(authorization(), at(300), &SystemRandom).is_ok());
        assert!(grants.start_device(client(), None, at(600), &SystemRandom).is_ok());
    }

    #[test]
    fn a_device_waits_is_slowed_down_and_gets_its_answer_once() {
        let mut grants = Grants::default();
        let codes = grants.start_device(client(), Some(challenge()), at(0), &SystemRandom).unwrap();
        let poll = |grants: &mut Grants, now| grants.poll_device(&codes.device_code, &client(), Some(VERIFIER), now);
        assert_eq!(poll(&mut grants, at(0)), Poll::Pending);
        assert_eq!(poll(&mut grants, Timestamp::from_millis(850)), Poll::Pending);
        assert_eq!(poll(&mut grants, at(1)), Poll::SlowDown);
        assert_eq!(poll(&mut grants, at(6)), Poll::SlowDown, "the interval is six seconds now");
        assert!(!grants.approve_device("ZZZZ-AAAA", email(), at(7)));
        assert!(grants.approve_device(&codes.user_code.to_lowercase().replace('-', " "), email(), at(7)));
        assert!(!grants.approve_device(&codes.user_code, email(), at(7)), "no second user may sign in for it");
        let other = ClientId::parse("other").unwrap();
        assert_eq!(grants.poll_device(&codes.device_code, &other, Some(VERIFIER), at(8)), Poll::Unknown);
        assert_eq!(poll(&mut grants, at(8)), Poll::Granted(email()));
        assert_eq!(poll(&mut grants, at(9)), Poll::Unknown);
    }

    #[test]
    fn a_device_with_a_challenge_needs_its_verifier_and_all_expire() {
        let mut grants = Grants::default();
        for verifier in [None, Some("x")] {
            let codes = grants.start_device(client(), Some(challenge()), at(0), &SystemRandom).unwrap();
            assert!(grants.approve_device(&codes.user_code, email(), at(1)));
            assert_eq!(grants.poll_device(&codes.device_code, &client(), verifier, at(2)), Poll::Unknown);
        }
        let codes = grants.start_device(client(), None, at(0), &SystemRandom).unwrap();
        assert!(!grants.approve_device(&codes.user_code, email(), at(600)));
        assert_eq!(grants.poll_device(&codes.device_code, &client(), None, at(600)), Poll::Expired);
        assert_eq!(grants.poll_device(&codes.device_code, &client(), None, at(600)), Poll::Unknown);
    }
}

//! The claims of a token.

use super::input::{ClientId, EmailAddress};
use chancery_verify::Timestamp;
use serde_json::{Map, Value, json};

/// A token to be made.
pub(super) struct TokenRequest<'a> {
    /// Who it is for. Also its `sub`, so that clients that sign either of the two sign the same.
    pub(super) email: &'a EmailAddress,
    /// Its `aud`.
    pub(super) audience: &'a ClientId,
    /// What the client sent to bind the token to its request.
    pub(super) nonce: Option<&'a str>,
    /// How long it counts.
    pub(super) lifetime_seconds: u64,
    /// Claims to replace or add; `null` removes one. Lets tests have expired, foreign or incomplete tokens, well signed.
    pub(super) overrides: Map<String, Value>,
}

impl TokenRequest<'_> {
    /// The claims of a token that `issuer` makes at `now`.
    pub(super) fn claims(&self, issuer: &str, now: Timestamp) -> Map<String, Value> {
        let mut claims = Map::new();
        claims.insert("iss".to_owned(), json!(issuer));
        claims.insert("sub".to_owned(), json!(self.email.as_str()));
        claims.insert("aud".to_owned(), json!(self.audience.as_str()));
        claims.insert("iat".to_owned(), json!(now.seconds()));
        claims.insert("nbf".to_owned(), json!(now.seconds()));
        claims.insert("exp".to_owned(), json!(now.plus_seconds(self.lifetime_seconds).seconds()));
        claims.insert("email".to_owned(), json!(self.email.as_str()));
        claims.insert("email_verified".to_owned(), json!(true));
        if let Some(nonce) = self.nonce {
            claims.insert("nonce".to_owned(), json!(nonce));
        }
        for (name, value) in &self.overrides {
            if value.is_null() {
                claims.remove(name);
            } else {
                claims.insert(name.clone(), value.clone());
            }
        }
        claims
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_those_clients_want_and_tests_may_spoil_them() {
        let email = EmailAddress::parse("alice@example.test").unwrap();
        let audience = ClientId::parse("sigstore").unwrap();
        let now = Timestamp::from_seconds(1000);
        let mut request = TokenRequest {
            email: &email,
            audience: &audience,
            nonce: Some("n"),
            lifetime_seconds: 600,
            overrides: Map::new(),
        };
        let expected = json!({
            "iss": "http://127.0.0.1:8080/oidc", "sub": "alice@example.test", "aud": "sigstore", "iat": 1000, "nbf": 1000,
            "exp": 1600, "email": "alice@example.test", "email_verified": true, "nonce": "n"
        });
        assert_eq!(Value::from(request.claims("http://127.0.0.1:8080/oidc", now)), expected);
        request.overrides =
            json!({"exp": 999, "email_verified": false, "nbf": null, "team": ["a"]}).as_object().unwrap().clone();
        let claims = request.claims("i", now);
        assert_eq!(
            (&claims["exp"], &claims["email_verified"], &claims["team"]),
            (&json!(999), &json!(false), &json!(["a"]))
        );
        assert!(!claims.contains_key("nbf"));
    }
}

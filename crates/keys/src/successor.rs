//! Where the key after a key belongs: beside it, kept as it is kept.

use crate::{KeyUri, UriError};

/// Why there is no place for the next key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoSuccessor {
    /// The key is in a token or a key service, where this program makes no keys.
    #[error(
        "the key {uri} is in a token or key service, where this program makes no key; make the next key there, and name it: \
         --key URI"
    )]
    Service {
        /// The key before.
        uri: String,
    },
    /// That is no key URI.
    #[error("{uri} is not a key URI: {source}")]
    Uri {
        /// What it is.
        uri: String,
        /// Why not.
        source: UriError,
    },
}

/// URI of the file in which key `number` of a role belongs, after the key at `uri`: in the same directory, encrypted with the
/// same password if that one is. `ca.pem` and `ca-2.pem` are followed by `ca-3.pem`.
pub fn successor(uri: &str, number: u64) -> Result<String, NoSuccessor> {
    let parsed = uri.parse::<KeyUri>().map_err(|source| NoSuccessor::Uri { uri: uri.to_owned(), source })?;
    let service = || NoSuccessor::Service { uri: uri.to_owned() };
    if !matches!(parsed, KeyUri::File(_)) {
        return Err(service());
    }
    // The text, and not the path: what is percent-encoded stays so.
    let (place, options) = uri.split_once('?').map_or((uri, None), |(place, options)| (place, Some(options)));
    let (directory, name) = place.rsplit_once('/').ok_or_else(service)?;
    let (stem, extension) = name.rsplit_once('.').filter(|(stem, _)| !stem.is_empty()).unwrap_or((name, "pem"));
    let is_earlier = |digits: &str| digits.parse::<u64>().is_ok_and(|earlier| earlier < number);
    let stem = stem.rsplit_once('-').filter(|(_, digits)| is_earlier(digits)).map_or(stem, |(first, _)| first);
    let next = format!("{directory}/{stem}-{number}.{extension}");
    Ok(options.map_or_else(|| next.clone(), |options| format!("{next}?{options}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_key_is_beside_the_one_before_and_kept_as_it_is() {
        for (uri, number, next) in [
            ("file:/keys/ca.pem?password-file=/run/ca", 2, "file:/keys/ca-2.pem?password-file=/run/ca"),
            ("file:/keys/ca-2.pem?password-env=CA", 4, "file:/keys/ca-4.pem?password-env=CA"),
            ("file:///keys/my%20ca-2026.pem", 2, "file:///keys/my%20ca-2026-2.pem"),
            ("file:/keys.d/ca", 2, "file:/keys.d/ca-2.pem"),
        ] {
            assert_eq!(successor(uri, number).as_deref(), Ok(next));
            assert!(next.parse::<KeyUri>().is_ok(), "{next}");
        }
    }

    #[test]
    fn no_key_is_made_in_a_service() {
        let uri = "awskms:///alias/ca?region=eu-central-1";
        let refused = successor(uri, 2).unwrap_err();
        assert!(refused.to_string().contains(uri) && refused.to_string().contains("--key URI"), "{refused}");
        assert!(matches!(successor("ca.pem", 2), Err(NoSuccessor::Uri { .. })));
    }
}

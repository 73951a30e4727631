//! What a key that is not X.509 is called: its ids, and e-mail addresses that its holder has written into it.
//!
//! The readers take a key in the form in which Rekor logs it. They check nothing and verify nothing: the ids are those
//! that the tools print, and only name the key.

pub(super) mod minisign;
pub(super) mod pgp;
pub(super) mod ssh;

/// The names of a key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct KeyNames {
    /// Ids, in lower-case hexadecimal unless the tool has another form.
    pub(super) ids: Vec<String>,
    /// E-mail addresses, as they are written.
    pub(super) emails: Vec<String>,
}

/// Maximum bytes of an e-mail address (RFC 5321 §4.5.3.1.3, without the angle brackets).
const MAX_EMAIL_BYTES: usize = 254;

/// Returns the text if it is an e-mail address: two parts with an `@` between them, without blanks.
fn email(text: &str) -> Option<&str> {
    let (local, host) = text.rsplit_once('@')?;
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && !matches!(c, '<' | '>' | ',');
    let is_one = !local.is_empty() && !host.is_empty() && text.len() <= MAX_EMAIL_BYTES && text.chars().all(plain);
    is_one.then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_two_parts_and_no_blanks() {
        for address in ["a@b", "alice+x@example.com", "ä@bücher.example"] {
            assert_eq!(email(address), Some(address));
        }
        for text in ["", "@", "a@", "@b", "a b@c", "<a@b>", "a@b,c@d", "a@b\n"] {
            assert_eq!(email(text), None, "{text}");
        }
        assert_eq!(email(&format!("{}@b", "a".repeat(253))), None);
    }
}

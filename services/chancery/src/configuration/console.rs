//! The configuration of the console.

use anyhow::ensure;
use schemars::JsonSchema;
use serde::Deserialize;

/// Allowed schemes of a contact (RFC 9116 §2.5.3).
const CONTACT_SCHEMES: [&str; 3] = ["mailto:", "https://", "tel:"];

/// The console.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ConsoleTable {
    /// Whether there is a page at `/`, a page for browsers at unknown paths, `/favicon.ico`, `/robots.txt` and `security.txt`.
    pub(crate) enabled: bool,
    /// Contact for security problems in `/.well-known/security.txt`, as a URI: `mailto:`, `https:` or `tel:`. Without it there
    /// is no such file.
    pub(crate) security_contact: Option<String>,
}

impl Default for ConsoleTable {
    fn default() -> Self {
        Self { enabled: true, security_contact: None }
    }
}

impl ConsoleTable {
    /// Refuses a contact that readers of `security.txt` could not use.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        let Some(contact) = &self.security_contact else { return Ok(()) };
        ensure!(
            CONTACT_SCHEMES.iter().any(|scheme| contact.starts_with(scheme)),
            "[console] security_contact: {contact} is not a URI; write mailto:{contact}, or an https:// URL"
        );
        // A line break would begin another field.
        ensure!(
            contact.chars().all(|character| character.is_ascii_graphic()),
            "[console] security_contact: a URI has only visible ASCII characters and no space; percent-encode the others"
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(contact: &str) -> Result<(), String> {
        let table = ConsoleTable { security_contact: Some(contact.to_owned()), ..ConsoleTable::default() };
        table.check().map_err(|error| error.to_string())
    }

    #[test]
    fn a_contact_is_a_uri_on_one_line() {
        for contact in ["mailto:security@example.org", "https://example.org/security", "tel:+49-30-12345"] {
            assert_eq!(check(contact), Ok(()));
        }
        assert!(check("http://example.org").unwrap_err().contains("is not a URI"));
        assert!(check("mailto:a@example.org\nPolicy: x").unwrap_err().contains("visible ASCII"));
        assert!(ConsoleTable::default().enabled && ConsoleTable::default().check().is_ok());
    }
}

//! Text that others have written, such as names in certificates and answers of servers, on one line of a command's output.

use chancery_verify::verifier::Signer;

/// A text that stays on its line, and shows what a terminal would obey.
pub(super) fn escaped(text: &str) -> String {
    text.chars().flat_map(char::escape_debug).collect()
}

/// As [`escaped`], with quotation marks as they are: a sentence of a server of one's own.
pub(super) fn sentence(text: &str) -> String {
    let shown = |c: char| if matches!(c, '"' | '\'' | '\\') { c.to_string() } else { c.escape_debug().collect() };
    text.chars().map(shown).collect()
}

/// The signer in full: a name that was cut could be two.
pub(super) fn whole(signer: &Signer) -> String {
    signer.claims().map_or_else(
        || signer.to_string(),
        |claims| format!("{} (issuer {})", escaped(claims.identity().as_str()), escaped(claims.issuer())),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_stays_on_its_line() {
        assert_eq!(escaped("a\nb\u{1b}[31m\"ü\u{202e}"), "a\\nb\\u{1b}[31m\\\"ü\\u{202e}");
        assert_eq!(sentence("it's \"a\nb\u{1b}[31m\""), "it's \"a\\nb\\u{1b}[31m\"");
    }
}

//! Globs over identities, claims and references.
//!
//! * `*` matches zero or more characters, except `/`, `@` and control characters.
//! * `**` matches zero or more characters, except `@` and control characters.
//! * Every other character matches itself. The whole text must match, with case.
//!
//! Stars do not cross `@`. So in `…/release.yml@refs/tags/*` the star can match only a part of the reference, and
//! `…/release.yml@evil.yml@refs/tags/v1` never matches, because it has one `@` more than the pattern. `?`, brackets,
//! braces and the backslash have a meaning in other globs. They are refused, so that they are not taken literally.
//!
//! In a distrust rule a glob is broad: it ignores case, and both stars cross `@`. A match too many only refuses.

use std::fmt;

/// Characters with a meaning in other globs.
const FOREIGN: [char; 7] = ['?', '[', ']', '{', '}', '\\', '\n'];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Character(char),
    /// `*`
    Segment,
    /// `**`
    Any,
}

/// A parsed glob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Glob {
    text: String,
    tokens: Vec<Token>,
}

impl Glob {
    /// Parses a pattern. The error says what to change.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut tokens = Vec::new();
        let mut rest = text;
        while let Some(character) = rest.chars().next() {
            let stars = rest.len() - rest.trim_start_matches('*').len();
            let token = match (stars, character) {
                (0, foreign) if FOREIGN.contains(&foreign) => {
                    return Err(format!("{foreign:?} has no meaning in a glob: use `*` or `**`, or a `regex`"));
                }
                (0, character) => Token::Character(character),
                (1, _) => Token::Segment,
                (2, _) => Token::Any,
                _ => return Err("a glob has `*` and `**`, never three stars in a row".to_owned()),
            };
            tokens.push(token);
            rest = &rest[stars.max(if stars == 0 { character.len_utf8() } else { 0 })..];
        }
        Ok(Self { text: text.to_owned(), tokens })
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns whether the whole of `text` matches. The time is at most the product of both lengths.
    pub(super) fn matches(&self, text: &str, broad: bool) -> bool {
        // The positions in the pattern that a match of the text so far can have reached.
        let mut standing = vec![false; self.tokens.len() + 1];
        standing[0] = true;
        self.skip_stars(&mut standing);
        let mut next = vec![false; standing.len()];
        for character in text.chars() {
            next.fill(false);
            for (position, token) in self.tokens.iter().enumerate().filter(|(position, _)| standing[*position]) {
                let crosses = broad || character != '@' && !character.is_control();
                match token {
                    Token::Character(expected) => {
                        let same = *expected == character || broad && expected.eq_ignore_ascii_case(&character);
                        next[position + 1] |= same;
                    }
                    Token::Segment => next[position] |= crosses && character != '/',
                    Token::Any => next[position] |= crosses,
                }
            }
            self.skip_stars(&mut next);
            std::mem::swap(&mut standing, &mut next);
            if !standing.contains(&true) {
                return false;
            }
        }
        standing.last().is_some_and(|end| *end)
    }

    /// Adds the positions after stars: a star may match zero characters.
    fn skip_stars(&self, standing: &mut [bool]) {
        for (position, token) in self.tokens.iter().enumerate() {
            if standing[position] && !matches!(token, Token::Character(_)) {
                standing[position + 1] = true;
            }
        }
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::Glob;

    #[test]
    fn stars_stay_where_they_are_put() {
        for (pattern, text, expected) in [
            ("a", "a", true),
            ("a", "A", false),
            ("a", "ab", false),
            ("a", "ba", false),
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("*", "abc", true),
            ("*", "a/b", false),
            ("**", "a/b", true),
            ("**", "a@b", false),
            ("**@**", "a@b", true),
            ("**@**", "a@b@c", false),
            ("refs/tags/v*", "refs/tags/v1.2", true),
            ("refs/tags/v*", "refs/tags/v1/evil", false),
            ("refs/tags/v*", "refs/heads/v1", false),
            ("refs/**", "refs/heads/a/b", true),
            ("*@acme.example", "alice@acme.example", true),
            ("*@acme.example", "alice@acme.example.evil", false),
            ("*@acme.example", "alice@evil@acme.example", false),
            ("https://github.com/acme/*/x", "https://github.com/acme/app/x", true),
            ("https://github.com/acme/*/x", "https://github.com/acme/a/b/x", false),
            ("https://github.com/acme/*/x", "https://githubXcom/acme/app/x", false),
            ("a*b*c", "aXbYbZc", true),
            ("a**b*c", "a/b/b-c", true),
            ("a.b", "axb", false),
            ("a**", "a\nb", false),
            ("a*", "a\u{7f}", false),
        ] {
            assert_eq!(Glob::parse(pattern).unwrap().matches(text, false), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn a_broad_glob_crosses_more() {
        let glob = Glob::parse("https://github.com/acme/app/**").unwrap();
        for text in ["https://github.com/ACME/app/x@y", "https://github.com/acme/app/x@y@refs/heads/main"] {
            assert!(glob.matches(text, true) && !glob.matches(text, false), "{text}");
        }
        assert!(!glob.matches("https://github.com/acme/application/x", true));
    }

    #[test]
    fn what_other_globs_mean_is_refused() {
        for pattern in ["a?", "[ab]", "{a,b}", r"a\*", "***", "a****"] {
            assert!(Glob::parse(pattern).is_err(), "{pattern}");
        }
    }

    #[test]
    fn time_is_bounded() {
        let pattern = "*a".repeat(1000);
        assert!(!Glob::parse(&pattern).unwrap().matches(&("a".repeat(999) + "b"), false));
    }
}

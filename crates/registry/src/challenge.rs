//! Parses `WWW-Authenticate` as registries use it: `Bearer` with realm, service and scope, or `Basic` (RFC 9110 §11.6.1).
//!
//! The contents are not trusted. The realm is checked before it is used.

/// Maximum bytes of a header.
const MAX_HEADER: usize = 8 * 1024;

/// The challenge of a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Challenge {
    Basic,
    Bearer { realm: String, service: Option<String>, scope: Option<String> },
}

impl Challenge {
    /// Parses the challenges of all headers. Returns the first `Bearer`, otherwise `Basic`.
    pub(crate) fn choose<'a>(headers: impl Iterator<Item = &'a str>) -> Option<Self> {
        let found: Vec<Self> = headers.filter_map(parse).flatten().collect();
        let bearer = found.iter().find(|challenge| matches!(challenge, Self::Bearer { .. }));
        bearer.or_else(|| found.first()).cloned()
    }
}

/// Parses all challenges of one header. `None` if it is malformed.
fn parse(header: &str) -> Option<Vec<Challenge>> {
    if header.len() > MAX_HEADER {
        return None;
    }
    let mut rest = header.trim_start_matches([' ', ',', '\t']);
    let mut found = Vec::new();
    while !rest.is_empty() {
        let end = rest.find([' ', ',']).unwrap_or(rest.len());
        let (scheme, after) = rest.split_at(end);
        let (parameters, after) = parameters(after)?;
        let value = |name: &str| {
            parameters.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone())
        };
        if scheme.eq_ignore_ascii_case("basic") {
            found.push(Challenge::Basic);
        } else if scheme.eq_ignore_ascii_case("bearer") {
            found.push(Challenge::Bearer { realm: value("realm")?, service: value("service"), scope: value("scope") });
        }
        rest = after.trim_start_matches([' ', ',', '\t']);
    }
    Some(found)
}

type Parameters = Vec<(String, String)>;

/// Parses the parameters at the start of `text`. Also returns the text after them: the next challenge, or nothing.
fn parameters(text: &str) -> Option<(Parameters, &str)> {
    let mut rest = text;
    let mut found = Vec::new();
    loop {
        let trimmed = rest.trim_start_matches([' ', ',', '\t']);
        let name_ends = trimmed.find(|c: char| !(c.is_ascii_alphanumeric() || "-_.!#$%&'*+^`|~".contains(c)));
        let name = &trimmed[..name_ends.unwrap_or(trimmed.len())];
        let Some(after) = trimmed[name.len()..].trim_start_matches(' ').strip_prefix('=') else {
            return Some((found, rest));
        };
        if name.is_empty() {
            return None;
        }
        let (value, after) = value(after.trim_start_matches(' '))?;
        found.push((name.to_owned(), value));
        rest = after;
    }
}

/// Parses a token or quoted string at the start of `text`. Also returns the text after it.
fn value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ', '\t']).unwrap_or(text.len());
        return Some((text[..end].to_owned(), &text[end..]));
    };
    let mut value = String::new();
    let mut escaped = false;
    for (position, character) in quoted.char_indices() {
        match character {
            character if escaped => {
                value.push(character);
                escaped = false;
            }
            '\\' => escaped = true,
            '"' => return Some((value, &quoted[position + 1..])),
            character => value.push(character),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(headers: &[&str]) -> Option<Challenge> {
        Challenge::choose(headers.iter().copied())
    }

    #[test]
    fn bearer_comes_before_basic() {
        let hub = r#"Bearer realm="https://auth.example/token",service="r.example",scope="repository:a/b:pull,push""#;
        let expected = Challenge::Bearer {
            realm: "https://auth.example/token".to_owned(),
            service: Some("r.example".to_owned()),
            scope: Some("repository:a/b:pull,push".to_owned()),
        };
        assert_eq!(choose(&[hub]), Some(expected.clone()));
        assert_eq!(choose(&["Basic realm=\"x\"", hub]), Some(expected.clone()));
        assert_eq!(choose(&[&format!("Basic realm=\"a, b\", Negotiate, {hub}")]), Some(expected));
        assert_eq!(choose(&["basic realm=\"r\\\"x\""]), Some(Challenge::Basic));
        assert_eq!(choose(&["BASIC"]), Some(Challenge::Basic));
    }

    #[test]
    fn nothing_is_made_of_what_is_malformed() {
        for bad in
            ["", "Negotiate", "Bearer", "Bearer service=x", "Bearer realm=\"open", "Bearer =x", &"a".repeat(9000)]
        {
            assert_eq!(choose(&[bad]), None, "{bad}");
        }
    }
}

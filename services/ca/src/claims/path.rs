//! The path of a value in a token's claims: the name of a claim, or a JSON pointer into one (RFC 6901).

use crate::json::Object;
use serde_json::Value;
use std::fmt;

/// Longest path, in bytes; no issuer has claims with longer ones.
const MAX_PATH_BYTES: usize = 256;

/// The path of a value in the claims. A name is used literally, dots and slashes included (`kubernetes.io`,
/// `oidc.circleci.com/project-id`). A text that begins with a slash is a JSON pointer (`/kubernetes.io/namespace`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClaimPath(String);

impl ClaimPath {
    /// Reads a path. `None` if it is empty, too long, has control characters, or is a pointer with wrong escapes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let escapes_hold = || text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
        let holds = (1..=MAX_PATH_BYTES).contains(&text.len())
            && !text.chars().any(char::is_control)
            && (!text.starts_with('/') || escapes_hold());
        holds.then(|| Self(text.to_owned()))
    }

    /// Returns the path as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the value; `None` if it is missing or `null`.
    pub(crate) fn find<'a>(&self, claims: &'a Object) -> Option<&'a Value> {
        let found = match self.0.strip_prefix('/') {
            None => claims.get(&self.0),
            Some(pointer) => {
                let (name, rest) = pointer.find('/').map_or((pointer, ""), |slash| pointer.split_at(slash));
                claims.get(&name.replace("~1", "/").replace("~0", "~"))?.pointer(rest)
            }
        };
        found.filter(|value| !value.is_null())
    }
}

impl fmt::Display for ClaimPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_are_whole_and_pointers_go_in() {
        let Value::Object(claims) = json!({
            "a": "1", "a/b": "2", "kubernetes.io": {"namespace": "prod", "list": ["x", "y"]}, "none": null, "~/": "3",
        }) else {
            panic!("an object");
        };
        let find = |path: &str| ClaimPath::parse(path).unwrap().find(&claims).and_then(Value::as_str);
        assert_eq!(find("a"), Some("1"));
        assert_eq!(find("a/b"), Some("2"));
        assert_eq!(find("/kubernetes.io/namespace"), Some("prod"));
        assert_eq!(find("/kubernetes.io/list/1"), Some("y"));
        assert_eq!(find("/~0~1"), Some("3"));
        for absent in ["kubernetes.io/namespace", "A", "none", "/a/b", "/kubernetes.io/other"] {
            assert_eq!(find(absent), None, "{absent}");
        }
        for bad in ["", "a\n", "/a~2", "/~", &"x".repeat(257)] {
            assert_eq!(ClaimPath::parse(bad), None, "{bad:?}");
        }
    }
}

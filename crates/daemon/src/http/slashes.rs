//! Merges repeated slashes in a path, and drops one at its end. Clients append paths to a base URL that their user has
//! typed, often with a slash at its end: `https://sign.example.org/tuf/` becomes `/tuf//timestamp.json`. Other URLs are
//! typed whole, as `https://time.example.org/api/v1/timestamp/`.
//!
//! Every role is asked behind this, so every route takes both alike, as in go-openapi's servers. After a segment `tile` the path is not
//! changed: a tile has exactly one path below its log (C2SP tlog-tiles), and every other spelling is refused. Not here:
//! dots and percent-encoding, which clients do not add.

use axum::http::Uri;

/// The segment after which a path is not changed.
const TILE: &str = "tile";

/// The same URI with single slashes and none at the end. `None` if it is so already. Host and query are not changed.
pub(super) fn joined(uri: &Uri) -> Option<Uri> {
    let path = joined_path(uri.path())?;
    let path = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path,
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(path.parse().ok()?);
    Uri::from_parts(parts).ok()
}

fn joined_path(path: &str) -> Option<String> {
    if !path.contains("//") && (path == "/" || !path.ends_with('/')) {
        return None;
    }
    let mut joined = String::with_capacity(path.len());
    let mut in_tile = false;
    for segment in path.split('/').skip(1) {
        if in_tile || !segment.is_empty() {
            joined.push('/');
            joined.push_str(segment);
        }
        in_tile |= segment == TILE;
    }
    if joined.is_empty() {
        joined.push('/');
    }
    (joined != path).then_some(joined)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path_of(uri: &str) -> String {
        let uri: Uri = uri.parse().unwrap();
        joined(&uri).unwrap_or(uri).to_string()
    }

    #[test]
    fn repeated_slashes_are_one() {
        for (asked, meant) in [
            ("/tuf//timestamp.json", "/tuf/timestamp.json"),
            ("//tuf///targets//a.json", "/tuf/targets/a.json"),
            ("/api/v1/timestamp//certchain", "/api/v1/timestamp/certchain"),
            ("/api/v1//timestamp", "/api/v1/timestamp"),
            ("//", "/"),
            ("/api/v1/timestamp/", "/api/v1/timestamp"),
            ("/api/v1/timestamp///", "/api/v1/timestamp"),
            ("/tuf/", "/tuf"),
            ("/api/v1/log/?a=b/", "/api/v1/log?a=b/"),
            ("/api/v1/log/entries//", "/api/v1/log/entries"),
            ("//api/v1/log?a=b//c", "/api/v1/log?a=b//c"),
            ("/ct/main//checkpoint", "/ct/main/checkpoint"),
        ] {
            assert_eq!(path_of(asked), meant, "{asked}");
        }
        for kept in ["/", "/?a=/", "/api/v1/log", "/a?b=//c", "*"] {
            assert_eq!(path_of(kept), kept);
        }
    }

    #[test]
    fn a_tile_has_one_path_below_its_log() {
        for (asked, meant) in [
            ("//tile/0/000", "/tile/0/000"),
            ("/ct/main//tile/0/x001/067", "/ct/main/tile/0/x001/067"),
            ("/tile//0/000", "/tile//0/000"),
            ("//api//v2/tile/0//000", "/api/v2/tile/0//000"),
            ("/tile/0/000//", "/tile/0/000//"),
            ("/tile/0/000/", "/tile/0/000/"),
            ("//tile/0/000/", "/tile/0/000/"),
            ("/tile/", "/tile/"),
            ("/tile//", "/tile//"),
        ] {
            assert_eq!(path_of(asked), meant, "{asked}");
        }
    }

    #[test]
    fn the_host_of_a_request_line_is_kept() {
        assert_eq!(
            path_of("https://log2.example.org//api/v2/checkpoint"),
            "https://log2.example.org/api/v2/checkpoint"
        );
    }
}

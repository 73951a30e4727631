//! An origin of web pages, as a setting or an option.

use url::Url;

/// Parses an origin as browsers write it: scheme and host, and the port unless it is the scheme's default.
pub(crate) fn parse(text: &str) -> Result<String, String> {
    let expected =
        || format!("`{text}` is not an origin; write https://HOST or https://HOST:PORT, without a slash at the end");
    let url = Url::parse(text).map_err(|_| expected())?;
    let is_web = matches!(url.scheme(), "http" | "https");
    if is_web && url.origin().ascii_serialization() == text { Ok(text.to_owned()) } else { Err(expected()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_written_as_browsers_do() {
        for good in ["https://search.example.org", "https://search.example.org:8443", "http://127.0.0.1:3000"] {
            assert_eq!(parse(good).unwrap(), good);
        }
        for bad in [
            "*",
            "",
            "null",
            "search.example.org",
            "https://search.example.org/",
            "https://search.example.org/page",
            "https://search.example.org:443",
            "https://Search.example.org",
            "https://*.example.org/",
            "https://me@search.example.org",
            "file:///page",
        ] {
            assert!(parse(bad).unwrap_err().contains("https://HOST"), "{bad}");
        }
    }
}

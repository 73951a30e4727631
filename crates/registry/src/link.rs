//! Parses the `Link` header of a list with more pages (RFC 8288, as OCI distribution uses it).

use url::Url;

/// Returns the next page after `page`. `None` if `header` has no `rel="next"`.
///
/// # Errors
/// The reason, if the link leads to another host or is malformed.
pub(crate) fn next(page: &Url, header: &str) -> Result<Option<Url>, &'static str> {
    let mut rest = header;
    while let Some(start) = rest.find('<') {
        let Some((target, after)) = rest[start + 1..].split_once('>') else {
            return Err("its Link header has no end");
        };
        let (parameters, following) = parameters(after);
        if is_next(parameters) {
            let url = page.join(target).map_err(|_| "its Link header has no valid address")?;
            if url.origin() != page.origin() || !url.username().is_empty() || url.password().is_some() {
                return Err("its Link header leads to another host");
            }
            return Ok(Some(url));
        }
        rest = following;
    }
    Ok(None)
}

/// Splits the parameters of one link from the next link, at a comma that is not in quotes.
fn parameters(text: &str) -> (&str, &str) {
    let mut quoted = false;
    for (position, byte) in text.bytes().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            b',' if !quoted => return (&text[..position], &text[position + 1..]),
            _ => {}
        }
    }
    (text, "")
}

fn is_next(parameters: &str) -> bool {
    parameters.split(';').filter_map(|parameter| parameter.split_once('=')).any(|(name, value)| {
        let value = value.trim().trim_matches('"');
        name.trim().eq_ignore_ascii_case("rel")
            && value.split(' ').any(|relation| relation.eq_ignore_ascii_case("next"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_on_the_same_host() {
        let page: Url = "https://r.example/v2/a/referrers/sha256:1?n=2".parse().unwrap();
        let found = |header| next(&page, header).map(|url| url.map(String::from));
        for header in [
            "</v2/a/referrers/sha256:1?n=2&last=x>; rel=\"next\"",
            "</other>; rel=prev, </v2/a/referrers/sha256:1?n=2&last=x>; rel=next",
            "</other>; title=\"a, <b>\"; rel=\"prev\",</v2/a/referrers/sha256:1?n=2&last=x>;REL=\"last next\"",
            "<?n=2&last=x>; rel=\"next\"",
        ] {
            let expected = "https://r.example/v2/a/referrers/sha256:1?n=2&last=x".to_owned();
            assert_eq!(found(header), Ok(Some(expected)), "{header}");
        }
        for header in ["", "</x>; rel=\"prev\"", "rel=next", "</x>"] {
            assert_eq!(found(header), Ok(None), "{header}");
        }
        for header in [
            "<https://evil.example/v2/>; rel=next",
            "<//evil.example/v2/>; rel=next",
            "<http://r.example/v2/>; rel=next",
            "<https://r.example:8443/v2/>; rel=next",
            "<https://me@r.example/v2/>; rel=next",
            "</x; rel=next",
            "<http://[>; rel=next",
        ] {
            assert!(found(header).is_err(), "{header}");
        }
    }
}

//! What all requests to services of others have in common: key services, issuers, logs and witnesses elsewhere.
//!
//! Whom to ask is what an operator has said: no answer and no environment chooses another host. What is asked, and what to
//! make of an answer, is the caller's, and so are bounds to its size.

use reqwest::{Client, ClientBuilder, redirect};
use std::time::Duration;
use url::Url;

/// A client whose connections must stand after `connect`, and whose requests must be answered to the last byte after
/// `request`. It follows no redirect, uses no proxy and speaks HTTP/1.1, whatever another part of the program compiles in.
pub fn client(connect: Duration, request: Duration) -> ClientBuilder {
    Client::builder()
        .redirect(redirect::Policy::none())
        .no_proxy()
        .referer(false)
        .http1_only()
        .connect_timeout(connect)
        .timeout(request)
        .user_agent(concat!("chancery/", env!("CARGO_PKG_VERSION")))
}

/// A URL that paths can be appended to, without trailing slash; `None` for one with a user, query or fragment, or that does
/// not lead to a host by HTTP.
#[must_use]
pub fn base(url: &Url) -> Option<String> {
    let plain = url.username().is_empty() && url.password().is_none();
    let whole = url.query().is_none() && url.fragment().is_none();
    let leads_there = matches!(url.scheme(), "http" | "https") && url.has_host();
    (leads_there && plain && whole).then(|| url.as_str().trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_is_a_place_and_nothing_else() {
        let base = |text: &str| base(&text.parse().unwrap());
        assert_eq!(base("https://a.example/log/").as_deref(), Some("https://a.example/log"));
        assert_eq!(base("http://127.0.0.1:1").as_deref(), Some("http://127.0.0.1:1"));
        for bad in ["ftp://a.example", "https://me@a.example", "https://a.example/?q", "https://a.example/#f", "data:x"]
        {
            assert_eq!(base(bad), None, "{bad}");
        }
    }
}

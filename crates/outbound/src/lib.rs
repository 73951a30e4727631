//! The HTTP client for requests to other services: key services, issuers, logs and witnesses elsewhere, and receivers
//! of events and alarms.
//!
//! The operator's settings choose the host: no answer and no environment variable can choose another one. The caller
//! writes the request, judges the answer and limits its size. Whose certificates count is the system's matter, unless the
//! operator names others. Those count then, and the system's do not: [`trusting_file`] and [`trusting_only`].
//!
//! [`causes`] says why a request failed, and [`retry_after`] when a server wants to be asked again.

mod authorities;
mod causes;
mod retry_after;

pub use authorities::{AuthoritiesError, check_file, trusting_file, trusting_only};
pub use causes::causes;
pub use retry_after::retry_after;

use chancery_address::BaseUrl;
use reqwest::{Client, ClientBuilder, redirect};
use std::time::Duration;
use url::Url;

/// Makes a client with a limit of `connect` for a connection, and of `request` until the last byte of an answer. It
/// follows no redirect, uses no proxy and speaks HTTP/1.1, even if another part of the program enables more features.
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

/// Returns a URL that paths can be appended to, in the one spelling of [`BaseUrl::parse`], without trailing slash. `None` for
/// a URL with a user, query or fragment, or that is not HTTP(S) with a host.
#[must_use]
pub fn base(url: &Url) -> Option<String> {
    BaseUrl::parse(url.as_str()).ok().map(|base| base.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_is_a_place_and_nothing_else() {
        let base = |text: &str| base(&text.parse().unwrap());
        assert_eq!(base("https://a.example/log/").as_deref(), Some("https://a.example/log"));
        assert_eq!(base("https://A.example.:443/log//").as_deref(), Some("https://a.example/log"));
        assert_eq!(base("http://127.0.0.1:1").as_deref(), Some("http://127.0.0.1:1"));
        for bad in ["ftp://a.example", "https://me@a.example", "https://a.example/?q", "https://a.example/#f", "data:x"]
        {
            assert_eq!(base(bad), None, "{bad}");
        }
    }
}

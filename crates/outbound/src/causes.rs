//! Why a request failed. The text of reqwest's own error leaves out the system's.

use std::error::Error;
use std::iter;

/// Writes an error with its causes, in one line. Errors of reqwest have the URL of the request in them, which may have a secret:
/// take it out first, with `without_url`.
#[must_use]
pub fn causes(error: &dyn Error) -> String {
    iter::successors(error.source(), |error| (*error).source())
        .fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn the_systems_error_is_said_and_no_url() {
        let client = crate::client(Duration::from_secs(5), Duration::from_secs(5)).build().unwrap();
        let error = client.get("http://127.0.0.1:1/?secret").send().await.unwrap_err();
        let text = causes(&error.without_url());
        assert!(text.contains("Connection refused"), "{text}");
        assert!(!text.contains("secret"), "{text}");
    }
}

//! The common parts of logs and authorities in a trust root: window, URL and operator.

use super::Window;
use super::limits::MAX_TEXT_BYTES;
use crate::protojson::strict::{Node, Object};
use crate::{Hash, Refusal, Rejection, Timestamp};

/// A parsed instance: usable, or set aside because its algorithm is not supported.
pub(super) enum Instance<T> {
    Usable(T),
    Unusable { url: String, log_id: Option<Hash>, reason: Refusal },
}

/// Takes `validFor` from `object`. The interval must have a start and must not end before it. It may be in the future.
pub(super) fn window(object: &mut Object) -> Result<Window, Refusal> {
    let missing = |refusal: Refusal| refusal.expected("a start", "none");
    let refusal = missing(object.refuse("validFor", Rejection::RootWindow));
    let mut interval = object.take("validFor").ok_or(refusal)?.object()?;
    let no_start = missing(interval.refuse("start", Rejection::RootWindow));
    let (_, start) = moment(&interval.take("start").ok_or(no_start)?)?;
    let end = interval.take("end").as_ref().map(moment).transpose()?.map(|(end, _)| end);
    let reversed = interval.refuse("end", Rejection::RootWindow);
    interval.finish()?;
    let window = Window { start, end };
    match end {
        Some(end) if end < start => {
            Err(reversed.expected(format!("an end from {} on", start.rfc3339_millis()), end.rfc3339_millis()))
        }
        _ => Ok(window),
    }
}

fn moment(node: &Node) -> Result<(Timestamp, Timestamp), Refusal> {
    let text = node.value().as_str().filter(|text| text.len() <= 64);
    let bounds = text.and_then(Timestamp::bounds_rfc3339);
    bounds.ok_or_else(|| node.unlike("a time in RFC 3339, from 1970 on"))
}

/// Splits a URL, with or without scheme. Returns the host in lower case without port, and the path without a trailing
/// slash.
pub(super) fn host_and_path(url: &str) -> Option<(String, &str)> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")).unwrap_or(url);
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let (host, port) = match authority.rfind(']') {
        Some(end) => authority.split_at(end + 1),
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    // «ftp://host» must not be taken for the host «ftp» with an empty port.
    let number = |port: &str| (1..=5).contains(&port.len()) && port.bytes().all(|digit| digit.is_ascii_digit());
    let is_port = port.is_empty() || port.strip_prefix(':').is_some_and(number);
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._[]:".contains(&byte);
    let is_host = !host.is_empty() && host.bytes().all(allowed);
    let is_path = !path.contains(['?', '#']);
    (is_host && is_port && is_path).then(|| (host.to_ascii_lowercase(), path.trim_end_matches('/')))
}

/// Takes the operator from `object`. If there is none, it is the URL's host.
pub(super) fn operator(object: &mut Object, host: &str) -> Result<String, Refusal> {
    let operator = object.string("operator", MAX_TEXT_BYTES)?;
    Ok(if operator.is_empty() { host.to_owned() } else { operator })
}

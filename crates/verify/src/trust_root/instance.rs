//! What logs and authorities have in common in a trust root: a window, a URL and an operator.

use super::Window;
use super::limits::MAX_TEXT_BYTES;
use crate::protojson::strict::{Node, Object};
use crate::{Hash, Refusal, Rejection, Timestamp};

/// What an instance can be after reading: of use, or set aside because its algorithm is unknown here.
pub(super) enum Instance<T> {
    Usable(T),
    Unusable { url: String, log_id: Option<Hash>, reason: Refusal },
}

/// Takes `validFor` out of `object`. The interval may lie in the future; it must have a start, and not end before it.
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
    bounds.ok_or_else(|| node.unlike("a time from 1970 on, as RFC 3339 writes it"))
}

/// The host of a URL that may lack its scheme, in lower case and without port, and its path without a slash at the end.
pub(super) fn host_and_path(url: &str) -> Option<(String, &str)> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")).unwrap_or(url);
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let (host, port) = match authority.rfind(']') {
        Some(end) => authority.split_at(end + 1),
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    // «ftp://host» is no host with an empty port.
    let number = |port: &str| (1..=5).contains(&port.len()) && port.bytes().all(|digit| digit.is_ascii_digit());
    let is_port = port.is_empty() || port.strip_prefix(':').is_some_and(number);
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._[]:".contains(&byte);
    let is_host = !host.is_empty() && host.bytes().all(allowed);
    let is_path = !path.contains(['?', '#']);
    (is_host && is_port && is_path).then(|| (host.to_ascii_lowercase(), path.trim_end_matches('/')))
}

/// Takes the operator out of `object`; where there is none, it is the URL's host.
pub(super) fn operator(object: &mut Object, host: &str) -> Result<String, Refusal> {
    let operator = object.string("operator", MAX_TEXT_BYTES)?;
    Ok(if operator.is_empty() { host.to_owned() } else { operator })
}

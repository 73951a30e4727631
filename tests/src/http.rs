//! HTTP/1.1 by hand, so that a test sees every byte of an answer.
//!
//! One request per connection; no redirects, no retries, no decoding except of chunks. Not a client to copy: it trusts
//! the server to close the connection.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};
use url::Url;

/// Longest a test waits for a byte.
const TIMEOUT: Duration = Duration::from_mins(1);

/// A request about to be sent.
#[derive(Clone)]
pub struct Request {
    address: String,
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
}

impl Request {
    /// `method` on `target` (path and query, sent as given) at the host of `url`.
    pub fn new(method: &str, url: &str, target: &str) -> Self {
        let url = Url::parse(url).unwrap();
        let address = format!("{}:{}", url.host_str().unwrap(), url.port_or_known_default().unwrap());
        Self { address, method: method.to_owned(), target: target.to_owned(), headers: Vec::new(), body: None }
    }

    /// GET of a whole URL.
    pub fn get(url: &str) -> Self {
        let (host, target) = split(url);
        Self::new("GET", &host, &target)
    }

    /// POST to a whole URL.
    pub fn post(url: &str) -> Self {
        let (host, target) = split(url);
        Self::new("POST", &host, &target)
    }

    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A body of this content type.
    #[must_use]
    pub fn body(self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let mut request = self.header("Content-Type", content_type);
        request.body = Some(body.into());
        request
    }

    /// A JSON body.
    #[must_use]
    pub fn json(self, body: &serde_json::Value) -> Self {
        self.body("application/json", body.to_string())
    }

    /// A form, as a browser sends it.
    #[must_use]
    pub fn form<'a>(self, fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.body("application/x-www-form-urlencoded", body)
    }

    /// Sends it and reads the whole answer.
    pub fn send(&self) -> Response {
        self.try_send().unwrap_or_else(|error| panic!("{} {}: {error}", self.method, self.target))
    }

    /// As [`Self::send`], for servers that may not be there.
    pub fn try_send(&self) -> std::io::Result<Response> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        let mut head = vec![format!("{} {} HTTP/1.1", self.method, self.target), "Connection: close".to_owned()];
        if !self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            head.push(format!("Host: {}", self.address));
        }
        head.extend(self.headers.iter().map(|(name, value)| format!("{name}: {value}")));
        head.extend(self.body.iter().map(|body| format!("Content-Length: {}", body.len())));
        let head = head.join("\r\n");
        stream.write_all(format!("{head}\r\n\r\n").as_bytes())?;
        // A server may answer before it has read everything, and close.
        let sent = stream.write_all(self.body.as_deref().unwrap_or_default());
        let mut answer = Vec::new();
        let received = stream.read_to_end(&mut answer);
        match Response::parse(&answer, &format!("{} {}", self.method, self.target)) {
            Some(response) => Ok(response),
            None => Err(sent.and(received.map(|_| ())).err().unwrap_or(std::io::ErrorKind::UnexpectedEof.into())),
        }
    }
}

fn split(url: &str) -> (String, String) {
    let (scheme, rest) = url.split_once("://").expect("a URL");
    let (host, target) = rest.split_once('/').map_or((rest, "/".to_owned()), |(host, path)| (host, format!("/{path}")));
    (format!("{scheme}://{host}"), target)
}

/// An answer.
pub struct Response {
    pub status: u16,
    pub body: Vec<u8>,
    headers: Vec<(String, String)>,
    request: String,
}

impl Response {
    fn parse(answer: &[u8], request: &str) -> Option<Self> {
        let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&answer[..end]).into_owned();
        let mut lines = head.split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let chunked = headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked");
        let body = &answer[end + 4..];
        let body = if chunked { dechunk(body)? } else { body.to_vec() };
        Some(Self { status, body, headers, request: request.to_owned() })
    }

    /// The value of a header, exactly as sent; there may be only one.
    #[track_caller]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(present, _)| present.eq_ignore_ascii_case(name));
        let value = values.next().map(|(_, value)| value.as_str());
        assert!(values.next().is_none(), "{} answered {name} more than once", self.request);
        value
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("no JSON ({error}): {}", self.report()))
    }

    /// Demands a status; the message shows the whole answer.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.report());
        self
    }

    /// Demands a status and a JSON body. Where the body names its request, that must be the name in the header; `body`
    /// is without it.
    #[track_caller]
    pub fn expect_json(self, status: u16, body: &serde_json::Value) -> Self {
        let response = self.expect(status);
        let mut found = response.json();
        if let Some(details) = found.get_mut("details").and_then(serde_json::Value::as_array_mut) {
            details.retain(|detail| {
                let names = detail.get("requestId");
                assert!(names.is_none_or(|id| id.as_str() == response.header("x-request-id")), "{}", response.report());
                names.is_none()
            });
        }
        assert_eq!(found, *body, "{}", response.report());
        response
    }

    fn report(&self) -> String {
        let mut text = self.text();
        if text.len() > 2000 {
            text = format!("{}…", text.chars().take(2000).collect::<String>());
        }
        format!("{}\n{} {:?}\n{text}", self.request, self.status, self.headers)
    }
}

fn dechunk(mut body: &[u8]) -> Option<Vec<u8>> {
    let mut whole = Vec::new();
    loop {
        let end = body.windows(2).position(|window| window == b"\r\n")?;
        let size = usize::from_str_radix(std::str::from_utf8(&body[..end]).ok()?.trim(), 16).ok()?;
        let rest = &body[end + 2..];
        if size == 0 {
            return Some(whole);
        }
        whole.extend_from_slice(rest.get(..size)?);
        body = rest.get(size + 2..)?;
    }
}

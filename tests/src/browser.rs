//! A person who fills in the development issuer's forms.
//!
//! Reads the page as a browser would: the form's fields are sent back as they stand in the HTML, with the e-mail address
//! typed in.

use crate::http::{Request, Response};
use url::Url;

/// What the person sees after having signed in.
pub enum After {
    /// The issuer led the browser to the program that waits, which answered this.
    Callback { url: String, response: Response },
    /// A page of the issuer.
    Page(String),
}

/// Opens `url`, signs in as `email` and follows where that leads.
pub fn sign_in(url: &str, email: &str) -> After {
    let answer = submit(url, email);
    match answer.status {
        302 | 303 => {
            let url = answer.header("location").expect("a redirect has a location").to_owned();
            After::Callback { response: Request::get(&url).send(), url }
        }
        200 => After::Page(answer.text()),
        _ => panic!("signing in at {url}: {} {}", answer.status, answer.text()),
    }
}

/// Opens `url`, signs in as `email` and returns what the issuer answers to that.
pub fn submit(url: &str, email: &str) -> Response {
    let (url, page) = open(url);
    let action = attribute(&page, "<form", "action").expect("a form");
    let target = Url::parse(&url).unwrap().join(&action).unwrap();
    let mut fields: Vec<(String, String)> = inputs(&page);
    let address = fields.iter_mut().find(|(name, _)| name == "email").expect("an e-mail field");
    email.clone_into(&mut address.1);
    let origin = target.origin().ascii_serialization();
    Request::post(target.as_str())
        .header("Origin", &origin)
        .form(fields.iter().map(|(name, value)| (name.as_str(), value.as_str())))
        .send()
}

/// Follows redirects to a page; returns where it is and what is in it.
pub fn open(url: &str) -> (String, String) {
    let mut url = url.to_owned();
    for _ in 0..3 {
        let answer = Request::get(&url).send();
        if answer.status == 200 {
            return (url, answer.text());
        }
        let next = answer.header("location").unwrap_or_else(|| panic!("{url}: {} {}", answer.status, answer.text()));
        next.clone_into(&mut url);
    }
    panic!("too many redirects to {url}");
}

/// The code that a page shows for copying.
pub fn shown_code(page: &str) -> String {
    let (_, rest) = page.split_once("<code>").expect("a code");
    unescape(rest.split_once("</code>").unwrap().0)
}

/// The first URL in a text that starts with `prefix`.
pub fn find_url(text: &str, prefix: &str) -> String {
    let start = text.find(prefix).unwrap_or_else(|| panic!("no {prefix}… in {text}"));
    text[start..].split(|c: char| c.is_whitespace() || c == '"').next().unwrap().to_owned()
}

fn inputs(page: &str) -> Vec<(String, String)> {
    page.match_indices("<input")
        .map(|(start, _)| {
            let element = &page[start..];
            let name = attribute(element, "<input", "name").expect("a name");
            (name, attribute(element, "<input", "value").unwrap_or_default())
        })
        .collect()
}

/// The value of an attribute of the first element that starts with `start`.
fn attribute(html: &str, start: &str, name: &str) -> Option<String> {
    let element = html.split_once(start)?.1;
    let element = element.split_once('>')?.0;
    let value = element.split_once(&format!(" {name}=\""))?.1.split_once('"')?.0;
    Some(unescape(value))
}

fn unescape(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
}

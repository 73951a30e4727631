//! Debian's Chromium, which looks at a page in several sizes, in light and in dark; axe looks with it.

use crate::person::{Person, client};
use crate::program::Program;
use serde_json::Value;
use std::fs;

/// Sizes of a telephone, a tablet, a laptop and a large screen.
pub const SIZES: [&str; 4] = ["360x740", "820x1180", "1280x800", "1920x1080"];

/// Opens `url` in every size, in both colour schemes, and demands what every page of ours keeps to: nothing is wider than the
/// screen, the Content-Security-Policy refuses nothing, no request leaves the server, axe finds nothing. Returns what was seen.
pub fn look_at(person: &Person, url: &str) -> Vec<Value> {
    let pictures = person.path("pictures");
    fs::create_dir_all(&pictures).unwrap();
    let program = person.node().arg(client("browser/main.js")).arg("chromium").arg(&pictures).arg(url);
    let seen = SIZES.into_iter().fold(program, Program::arg).run().succeeds();
    let looks: Vec<Value> = serde_json::from_str(&seen).unwrap();
    assert_eq!(looks.len(), 2 * SIZES.len());
    let origin = url::Url::parse(url).unwrap().origin().ascii_serialization();
    for look in &looks {
        for problem in ["violations", "refused", "messages"] {
            // The browser itself says on its console that an answer was a 404.
            let is_the_page = |text: &Value| text.as_str().is_some_and(|text| text.contains("404 (Not Found)"));
            let found: Vec<&Value> =
                look[problem].as_array().unwrap().iter().filter(|text| !is_the_page(text)).collect();
            assert!(found.is_empty(), "{problem}: {look:#}");
        }
        assert!(look["passes"].as_u64().unwrap() > 10, "axe did not look: {look:#}");
        assert!(look["content_width"].as_u64() <= look["width"].as_u64(), "wider than the screen: {look:#}");
        for request in look["requests"].as_array().unwrap() {
            let request = request.as_str().unwrap();
            assert!(request.starts_with(&origin) || request.starts_with("data:"), "{request}");
        }
        let name = format!("{}-{}.png", look["size"].as_str().unwrap(), look["scheme"].as_str().unwrap());
        let picture = fs::read(pictures.join(name)).unwrap();
        assert!(picture.starts_with(b"\x89PNG") && picture.len() > 5_000, "an empty picture");
    }
    for pair in looks.chunks(2) {
        assert_ne!(pair[0]["background"], pair[1]["background"], "dark is not light");
    }
    looks
}

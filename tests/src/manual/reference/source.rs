//! What can only be read from the source: the metrics that it registers, and the codes that its errors have.

use crate::manual::files;
use std::{fs, path::Path};

/// A metric as it is registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Metric {
    pub(super) name: String,
    pub(super) kind: &'static str,
    pub(super) labels: Vec<String>,
    pub(super) help: String,
}

/// Every metric of the services, by name.
pub(super) fn metrics(root: &Path) -> Vec<Metric> {
    let mut found = Vec::new();
    for directory in ["services", "crates"] {
        for path in files(&root.join(directory), "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let product = text.split("\n#[cfg(test)]").next().unwrap();
            found.extend(metrics_of(product));
        }
    }
    found.sort_by(|one, other| one.name.cmp(&other.name));
    found.dedup_by(|one, other| one.name == other.name);
    found
}

fn metrics_of(text: &str) -> Vec<Metric> {
    let kinds = [
        (".counter(", "counter"),
        (".counters(", "counter"),
        (".gauges(", "gauge"),
        (".durations(", "histogram"),
        (".short_durations(", "histogram"),
        (".nanoseconds(", "histogram"),
        (".nanosecond_summaries(", "summary"),
        (".distributions(", "histogram"),
    ];
    let mut found = Vec::new();
    for (call, kind) in kinds {
        for after in text.split(call).skip(1) {
            let strings = strings(after);
            // Other functions have these names, too; theirs are no literals.
            let [name, help, ..] = strings.as_slice() else { continue };
            if !after.trim_start().starts_with('"')
                || !name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
            {
                continue;
            }
            let labels = after.split_once("&[").map_or("", |(_, labels)| labels.split(']').next().unwrap());
            let labels = if call == ".counter(" { Vec::new() } else { self::strings(labels) };
            found.push(Metric { name: name.clone(), kind, labels, help: help.clone() });
        }
    }
    found
}

/// The string literals at the start of a text.
fn strings(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((between, after)) = rest.split_once('"') {
        if between.contains(';') || found.len() == 8 {
            break;
        }
        let Some(end) = after.find('"') else { break };
        found.push(after[..end].to_owned());
        rest = &after[end + 1..];
    }
    found
}

/// The paths that the services answer, as they are in the source; those of gRPC and of the development issuer are not.
pub(super) fn paths(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for path in files(&root.join("services"), "rs") {
        let text = fs::read_to_string(&path).unwrap();
        let product = text.split("\n#[cfg(test)]").next().unwrap();
        let literals = product.split('"').skip(1).step_by(2).filter(|text| !text.contains(char::is_whitespace));
        let is_path = |text: &&str| {
            // One with an asterisk answers that there is no such path.
            let is_template = !text.contains(['?', '%', '*'])
                && !text.contains("{}")
                && text.matches('{').count() == text.matches("/{").count();
            is_template && ["/api/v", "/ct/v1/", "/trust/", "/issuer/"].iter().any(|start| text.starts_with(start))
        };
        found.extend(literals.filter(is_path).map(str::to_owned));
    }
    found.sort();
    found.dedup();
    found
}

/// An error's code, and what its variant says about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: String,
    pub(super) meaning: String,
    pub(super) sentence: String,
}

/// Every code that an error below `directory` has, in the order of the checks.
pub(super) fn refusals(directory: &Path) -> Vec<Refusal> {
    let mut found: Vec<Refusal> = Vec::new();
    for path in files(directory, "rs") {
        let text = fs::read_to_string(&path).unwrap();
        for function in text.split("const fn code(").skip(1) {
            let body = function.split("\n    }\n").next().unwrap();
            for arm in body.split("Self::").skip(1) {
                let variant: String = arm.chars().take_while(|c| c.is_alphanumeric()).collect();
                let Some((_, code)) = arm.split_once("=> \"") else { continue };
                let code = code.split('"').next().unwrap().to_owned();
                let (meaning, sentence) = variant_of(&text, &variant);
                if found.iter().all(|known| known.code != code) {
                    found.push(Refusal { code, meaning, sentence });
                }
            }
        }
    }
    found
}

/// What stands above a variant: its documentation and its message.
fn variant_of(text: &str, variant: &str) -> (String, String) {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let is_it = |line: &str| {
        line.strip_prefix(variant).is_some_and(|rest| rest.starts_with([',', '(', ' ']) && !rest.contains("=>"))
    };
    let at = lines.iter().position(|line| is_it(line)).unwrap_or_else(|| panic!("no variant {variant}"));
    let mut above: Vec<&str> = Vec::new();
    let mut in_attribute = false;
    for line in lines[..at].iter().rev() {
        // An attribute of several lines is met at its end first.
        let inside = in_attribute || line.ends_with(")]");
        in_attribute = inside && !line.starts_with("#[");
        if !inside && !line.starts_with("///") && !line.starts_with("#[") {
            break;
        }
        above.insert(0, line);
    }
    let meaning: Vec<&str> = above.iter().filter_map(|line| line.strip_prefix("/// ")).collect();
    let attributes: Vec<&str> = above.iter().filter(|line| !line.starts_with("///")).copied().collect();
    (meaning.join(" "), message(&attributes.join("\n")))
}

/// The message of an `#[error(…)]` among attributes.
fn message(attributes: &str) -> String {
    let Some((_, error)) = attributes.split_once("#[error(") else { return String::new() };
    if error.starts_with("transparent") {
        return "that of the cause".to_owned();
    }
    let literal = error.trim_start().strip_prefix('"').and_then(|text| text.split('"').next()).unwrap_or_default();
    // A backslash at the end of a line continues it.
    literal.replace("\\\n", "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registration_is_read() {
        let text = "let a = metrics.counters(\n \"a_total\",\n \"Things, (by kind)\",\n &[\"log\", \"kind\"],\n)?;\n\
                    metrics.counter(\"b\", \"Others\")?; metrics.gauges(name, \"x\", &[])";
        let expected = [("b", &[][..], "Others"), ("a_total", &["log", "kind"], "Things, (by kind)")];
        let found = metrics_of(text);
        let found: Vec<_> = found.iter().map(|m| (&*m.name, m.labels.clone(), &*m.help)).collect();
        let expected: Vec<_> =
            expected.iter().map(|(n, l, h)| (*n, l.iter().map(|l| (*l).to_owned()).collect::<Vec<_>>(), *h)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_code_is_read_with_its_variant() {
        let text = "    /// The token\n    /// is old.\n    #[error(\"older than {limit}\")]\n    TooOld {\n";
        assert_eq!(variant_of(text, "TooOld"), ("The token is old.".into(), "older than {limit}".into()));
    }

    #[test]
    fn a_message_of_several_lines_and_one_of_the_cause_are_read() {
        let text = "    One,\n    /// It forked.\n    #[error(\n        \"a tree of {head} \\\n         leaves\"\n    )]\n    \
                    #[cfg(unix)]\n    Forked {\n        head: u64,\n    },\n    /// Broken.\n    #[error(transparent)]\n    \
                    Corrupt(#[from] Fault),\n    /// Nothing is said.\n    Silent,\n";
        assert_eq!(variant_of(text, "Forked"), ("It forked.".into(), "a tree of {head} leaves".into()));
        assert_eq!(variant_of(text, "Corrupt"), ("Broken.".into(), "that of the cause".into()));
        assert_eq!(variant_of(text, "Silent"), ("Nothing is said.".into(), String::new()));
    }
}

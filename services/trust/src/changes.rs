//! What differs between two versions of a trust file, in words, for the people who sign the new one.
//!
//! The members that matter to clients are told in sentences. Whatever else differs is named by its member, so that nothing is
//! passed over. Not a validation: a file may be compared that no client would take.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_verify::hash;
use serde_json::{Map, Value};
use std::{collections::BTreeSet, slice};

/// A list in a trust file, and how its entries are told apart.
struct List {
    member: &'static str,
    /// What an entry is.
    title: &'static str,
    /// The member with its URL.
    url: &'static str,
    /// Where the start and the end of its validity are.
    window: &'static str,
    /// What makes it another entry. Shown beside the title.
    identity: fn(&Value) -> String,
    /// Whether the URL belongs to the identity: nothing else tells services of one version apart.
    is_known_by_url: bool,
    /// What it means if an entry is no longer there.
    loss: &'static str,
}

const LOSS_OF_TRUST: &str = "clients refuse all that it has signed";
const LOSS_OF_USE: &str = "signers no longer use it";

const TRUSTED: [List; 4] = [
    List {
        member: "certificateAuthorities",
        title: "certificate authority",
        url: "uri",
        window: "/validFor",
        identity: certificate,
        is_known_by_url: false,
        loss: LOSS_OF_TRUST,
    },
    List {
        member: "ctlogs",
        title: "certificate log",
        url: "baseUrl",
        window: "/publicKey/validFor",
        identity: key,
        is_known_by_url: false,
        loss: LOSS_OF_TRUST,
    },
    List {
        member: "tlogs",
        title: "signature log",
        url: "baseUrl",
        window: "/publicKey/validFor",
        identity: key,
        is_known_by_url: false,
        loss: LOSS_OF_TRUST,
    },
    List {
        member: "timestampAuthorities",
        title: "timestamp authority",
        url: "uri",
        window: "/validFor",
        identity: certificate,
        is_known_by_url: false,
        loss: LOSS_OF_TRUST,
    },
];

const SERVICES: [List; 4] = [
    service("caUrls", "certificate authority to use"),
    service("oidcUrls", "issuer to use"),
    service("rekorTlogUrls", "signature log to use"),
    service("tsaUrls", "timestamp authority to use"),
];

const fn service(member: &'static str, title: &'static str) -> List {
    let (url, window, loss) = ("url", "/validFor", LOSS_OF_USE);
    List { member, title, url, window, identity: version, is_known_by_url: true, loss }
}

/// Compares two versions of `trusted_root.json`. `null` stands for a version that is not there.
pub(crate) fn trusted_root(before: &Value, after: &Value) -> Vec<String> {
    compare(&TRUSTED, before, after)
}

/// Compares two versions of a signing configuration.
pub(crate) fn signing_config(before: &Value, after: &Value) -> Vec<String> {
    compare(&SERVICES, before, after)
}

fn compare(lists: &[List], before: &Value, after: &Value) -> Vec<String> {
    let of_list = |list: &List| list.changes(entries(before, list.member), entries(after, list.member));
    let mut changes: Vec<String> = lists.iter().flat_map(of_list).collect();
    let others = differing(before, after).into_iter().filter(|name| lists.iter().all(|list| list.member != name));
    changes.extend(others.map(|name| format!("its member {name} changes")));
    changes
}

/// An entry with what makes it another entry, and its number among those that are alike in that.
type Named<'a> = ((String, usize), &'a Value);

impl List {
    fn changes(&self, before: &[Value], after: &[Value]) -> Vec<String> {
        let (old, new) = (self.named(before), self.named(after));
        let removed: Vec<&Value> = without(&old, &new).map(|(_, entry)| *entry).collect();
        let added: Vec<&Value> = without(&new, &old).map(|(_, entry)| *entry).collect();
        let mut changes = Vec::new();
        match (removed.as_slice(), added.as_slice()) {
            // A service has moved.
            ([gone], [come]) if self.is_known_by_url && (self.identity)(gone) == (self.identity)(come) => {
                changes.extend(self.compared(gone, come));
            }
            _ => {
                changes
                    .extend(added.iter().map(|entry| format!("{} is added, {}", self.name(entry), self.times(entry))));
                changes.extend(removed.iter().map(|entry| format!("{} is removed: {}", self.name(entry), self.loss)));
            }
        }
        for (id, entry) in &new {
            if let Some((_, earlier)) = old.iter().find(|(other, _)| other == id) {
                changes.extend(self.compared(earlier, entry));
            }
        }
        // Some clients take the first one of a list.
        let kept = |all: &[Named<'_>], others: &[Named<'_>]| -> Vec<(String, usize)> {
            all.iter().filter(|(id, _)| others.iter().any(|(other, _)| other == id)).map(|(id, _)| id.clone()).collect()
        };
        if kept(&old, &new) != kept(&new, &old) {
            changes.push(format!("the order of its {} changes", self.member));
        }
        changes
    }

    fn named<'a>(&self, entries: &'a [Value]) -> Vec<Named<'a>> {
        let mut named: Vec<Named<'a>> = Vec::with_capacity(entries.len());
        for entry in entries {
            let identity = (self.identity)(entry);
            let id = if self.is_known_by_url { format!("{} {identity}", self.url_of(entry)) } else { identity };
            let number = named.iter().filter(|((other, _), _)| *other == id).count();
            named.push(((id, number), entry));
        }
        named
    }

    fn url_of(&self, entry: &Value) -> String {
        text(entry.get(self.url))
    }

    fn name(&self, entry: &Value) -> String {
        format!("{} {} ({})", self.title, self.url_of(entry), (self.identity)(entry))
    }

    /// Start and end of an entry's validity.
    fn window<'a>(&self, entry: &'a Value) -> [Option<&'a Value>; 2] {
        let window = entry.pointer(self.window);
        ["start", "end"].map(|name| window?.get(name))
    }

    fn times(&self, entry: &Value) -> String {
        match self.window(entry) {
            [start, None] => format!("valid from {}", text(start)),
            [start, end] => format!("valid from {} until {}", text(start), text(end)),
        }
    }

    /// What differs between two versions of one entry.
    fn compared(&self, before: &Value, after: &Value) -> Vec<String> {
        let mut changes = Vec::new();
        let (old, new) = (self.url_of(before), self.url_of(after));
        if old != new {
            changes.push(format!("its URL changes from {old} to {new}"));
        }
        let ([old_start, old_end], [new_start, new_end]) = (self.window(before), self.window(after));
        if old_start != new_start {
            changes.push(format!("its window starts {} instead of {}", text(new_start), text(old_start)));
        }
        match (old_end, new_end) {
            (None, Some(end)) => changes.push(format!("its window is closed: valid until {}", text(Some(end)))),
            (Some(end), None) => changes.push(format!("its window, closed on {}, is open again", text(Some(end)))),
            (old, new) if old != new => {
                changes.push(format!("its window ends {} instead of {}", text(new), text(old)));
            }
            _ => {}
        }
        let others = differing(&self.rest(before), &self.rest(after));
        changes.extend(others.into_iter().map(|name| format!("its member {name} changes")));
        let name = self.name(before);
        changes.into_iter().map(|change| format!("{name}: {change}")).collect()
    }

    /// An entry without what is told in sentences.
    fn rest(&self, entry: &Value) -> Value {
        let mut rest = entry.clone();
        if let Some(window) = rest.pointer_mut(self.window).and_then(Value::as_object_mut) {
            window.remove("start");
            window.remove("end");
        }
        if let Some(members) = rest.as_object_mut() {
            members.remove(self.url);
        }
        rest
    }
}

/// Those of `all` that are not among `others`.
fn without<'a, 'b>(all: &'b [Named<'a>], others: &'b [Named<'a>]) -> impl Iterator<Item = &'b Named<'a>> {
    all.iter().filter(|(id, _)| others.iter().all(|(other, _)| other != id))
}

/// The entries of a list. What is no list counts as one entry, so that it is seen.
fn entries<'a>(file: &'a Value, member: &str) -> &'a [Value] {
    match file.get(member) {
        None | Some(Value::Null) => &[],
        Some(Value::Array(entries)) => entries,
        Some(other) => slice::from_ref(other),
    }
}

/// The names of members that differ.
fn differing(before: &Value, after: &Value) -> Vec<String> {
    let none = Map::new();
    let (before, after) = (before.as_object().unwrap_or(&none), after.as_object().unwrap_or(&none));
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    names.into_iter().filter(|name| before.get(*name) != after.get(*name)).cloned().collect()
}

fn text(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => "nothing".to_owned(),
    }
}

fn key(log: &Value) -> String {
    let key = fingerprint(log.pointer("/publicKey/rawBytes"));
    // A Rekor v2 log, which may share its key with another log.
    let id = log.pointer("/checkpointKeyId/keyId");
    id.map_or_else(|| format!("key {key}"), |id| format!("key {key}, log ID {}", text(Some(id))))
}

fn certificate(authority: &Value) -> String {
    format!("certificate {}", fingerprint(authority.pointer("/certChain/certificates/0/rawBytes")))
}

fn version(service: &Value) -> String {
    format!("API version {}", text(service.get("majorApiVersion")))
}

/// SHA-256 of bytes in base64, as `openssl` shows it of a certificate or key in DER.
fn fingerprint(bytes: Option<&Value>) -> String {
    let decoded = bytes.and_then(Value::as_str).and_then(|text| STANDARD.decode(text).ok());
    decoded.map_or_else(|| "that cannot be read".to_owned(), |der| hex::encode(hash::sha256(&der)))
}

#[cfg(test)]
mod tests;

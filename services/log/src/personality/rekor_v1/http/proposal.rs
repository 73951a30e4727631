//! The outer members of a proposed entry, which every kind has: kind, version and spec. [`chancery_verify::rekor`]
//! checks the spec.

use super::error::Failure;
use chancery_verify::rekor::{EntryKind, ProposedEntry};
use chancery_verify::shown;

/// The versions that the OpenAPI document allows: semantic ones, in the words of the expression that finds them.
pub(super) const VERSION: &str = r"^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?(?:\+([0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*))?$";

/// Checks that the kind is a known one. Upstream does so while it reads the JSON.
pub(super) fn verify_kind(proposal: &ProposedEntry<'_>) -> Result<(), Failure> {
    let name =
        proposal.kind.as_deref().filter(|kind| !kind.is_empty()).ok_or_else(|| Failure::required("kind", "body"))?;
    if EntryKind::named(name).next().is_some() {
        return Ok(());
    }
    Err(Failure::Schema { code: 422, message: format!("invalid kind value: \"{}\"", shown(name)) })
}

/// Checks the other members that the OpenAPI document requires.
pub(super) fn verify_members(proposal: &ProposedEntry<'_>) -> Result<(), Failure> {
    let version = proposal.api_version.as_deref().ok_or_else(|| Failure::required("apiVersion", "body"))?;
    if !is_semantic(version) {
        let message = format!("apiVersion in body should match '{VERSION}'");
        return Err(Failure::Schema { code: 605, message });
    }
    proposal.spec.map(|_| ()).ok_or_else(|| Failure::required("spec", "body"))
}

/// The kind of a proposal. `None` if this version of it is not one that can be logged.
pub(super) fn kind_of(proposal: &ProposedEntry<'_>) -> Option<EntryKind> {
    let (name, version) = (proposal.kind.as_deref()?, proposal.api_version.as_deref()?);
    EntryKind::named(name).find(|kind| kind.version() == version)
}

/// The reason where [`kind_of`] finds none.
pub(super) fn unsupported(proposal: &ProposedEntry<'_>) -> String {
    let member = |member: &Option<String>| shown(member.as_deref().unwrap_or_default());
    let (name, version) = (member(&proposal.kind), member(&proposal.api_version));
    format!("entry kind '{name}' does not support inserting entries of version '{version}'")
}

/// The reason where this log takes no entries of the kind.
pub(super) fn disabled(kind: EntryKind) -> String {
    format!("entry kind '{}' is not enabled for submission on this server", kind.name())
}

/// Whether [`VERSION`] matches.
fn is_semantic(version: &str) -> bool {
    let (rest, build) = version.split_once('+').map_or((version, None), |(rest, build)| (rest, Some(build)));
    let (numbers, before) = rest.split_once('-').map_or((rest, None), |(numbers, before)| (numbers, Some(before)));
    let is_before = |word| is_word(word) && (!is_digits(word) || is_number(word));
    numbers.split('.').count() == 3
        && numbers.split('.').all(is_number)
        && before.is_none_or(|words| words.split('.').all(is_before))
        && build.is_none_or(|words| words.split('.').all(is_word))
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Digits without a zero before them.
fn is_number(text: &str) -> bool {
    is_digits(text) && !text.is_empty() && (text == "0" || !text.starts_with('0'))
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_semantic() {
        for version in
            ["0.0.1", "10.20.30", "1.0.0-alpha.1", "1.0.0-0a.x-y-z", "1.0.0+001", "1.0.0-rc.1+b-1.2", "1.0.0--"]
        {
            assert!(is_semantic(version), "{version}");
        }
        for version in [
            "",
            "0",
            "0.0",
            "0.0.",
            ".0.1",
            "0.0.0.1",
            "01.0.0",
            "0.0.01",
            "v0.0.1",
            "0.0.1 ",
            "0.0.1-",
            "0.0.1-01",
            "0.0.1-a..b",
            "0.0.1+",
            "0.0.1+a+b",
            "0.0.1+a..b",
            "0.0.1-ä",
            "٠.0.1",
        ] {
            assert!(!is_semantic(version), "{version}");
        }
    }
}

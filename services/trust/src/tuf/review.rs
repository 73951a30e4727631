//! What people see before they sign root or targets metadata on a machine of their own: what the new version changes, in words.
//!
//! A review goes with exported metadata. It has the version that is served and the contents of the files that targets metadata lists.
//! Nobody vouches for it, so it is compared: contents with the hashes in the metadata, the version before with the keys of its own
//! root. A server that lies about the version before can hide a change; [`Review::is_vouched_for`] tells whether a key that signs now
//! has signed that version too.

use super::{
    InvalidMetadata, Metadata, Publication, Repository, Role, Root, TufError,
    metadata::{FileFacts, expect_role, listed_targets},
    publication::{SIGNING_CONFIGS, TRUSTED_ROOT},
    repository::follow,
    root::RoleKeys,
};
use crate::changes;
use chancery_verify::{PublicKey, counted};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Members of what is signed that are told in sentences.
const TOLD: [&str; 6] = ["_type", "expires", "keys", "roles", "targets", "version"];

/// The version before, and the contents of the files that both list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Review {
    /// The root that is served.
    root: Value,
    /// The targets metadata that is served.
    targets: Value,
    /// Contents of the files that are served, by name. Empty for a new root.
    before: BTreeMap<String, String>,
    /// Contents of the files of the new version.
    after: BTreeMap<String, String>,
}

impl Review {
    /// What is needed to see what `next` changes. `read` returns the file at a path below the repository.
    pub fn of(
        current: &Repository,
        next: &Metadata,
        read: impl Fn(&str) -> Result<Option<Vec<u8>>, TufError>,
    ) -> Result<Self, TufError> {
        let refused = |source| TufError::Refused { role: next.role, source };
        let document = |role| serde_json::from_slice::<Value>(&current.metadata(role).to_bytes());
        let not_json = |_| refused(InvalidMetadata::NotJson);
        let (root, targets) = (document(Role::Root).map_err(not_json)?, document(Role::Targets).map_err(not_json)?);
        let mut review = Self { root, targets, before: BTreeMap::new(), after: BTreeMap::new() };
        if next.role == Role::Targets {
            for (metadata, contents) in
                [(current.metadata(Role::Targets), &mut review.before), (next, &mut review.after)]
            {
                for (name, facts) in listed_targets(metadata).map_err(refused)? {
                    let text = read(&name.path(&facts))?.and_then(|bytes| String::from_utf8(bytes).ok());
                    contents.extend(text.map(|text| (name.to_string(), text)));
                }
            }
        }
        Ok(review)
    }

    /// The version with which a new one of this role is compared. Its signatures are those of its own root.
    pub fn version_before(&self, role: Role) -> Result<Metadata, InvalidMetadata> {
        let root = parse(&self.root)?;
        let keys = follow(None, &root)?;
        if role == Role::Root {
            return Ok(root);
        }
        let targets = parse(&self.targets)?;
        expect_role(&targets, role)?;
        keys.verify(&targets)?;
        Ok(targets)
    }

    /// Whether a key has signed the root with which, or with whose targets, a new version is compared.
    #[must_use]
    pub fn is_vouched_for(&self, key: &PublicKey) -> bool {
        parse(&self.root).is_ok_and(|root| {
            let mut signatures = root.signatures();
            signatures.any(|(_, signature)| key.verify(root.message(), signature).is_ok())
        })
    }

    /// What `next` changes, a sentence each; none if it only has another version and expiry. Refused if this review is not of
    /// the version before `next`, or if a file is not the one that the metadata lists.
    pub fn changes(&self, next: &Metadata) -> Result<Vec<String>, InvalidMetadata> {
        let before = self.version_before(next.role)?;
        if next.version != before.version + 1 {
            let (role, expected, found) = (next.role, before.version + 1, next.version);
            return Err(InvalidMetadata::Version { role, expected, found });
        }
        let mut changes = if next.role == Role::Root {
            of_keys(&Root::parse(&before)?, &Root::parse(next)?)
        } else {
            self.of_targets(&before, next)?
        };
        let members: BTreeSet<&str> = [&before, next].into_iter().flat_map(Metadata::member_names).collect();
        let others = members.into_iter().filter(|name| !TOLD.contains(name));
        let changed = others.filter(|name| before.find(name) != next.find(name));
        changes.extend(changed.map(|name| format!("member {name} of the metadata changes")));
        Ok(changes)
    }

    fn of_targets(&self, before: &Metadata, next: &Metadata) -> Result<Vec<String>, InvalidMetadata> {
        let (old, new) = (contents(before, &self.before)?, contents(next, &self.after)?);
        let mut sentences = Sentences::default();
        for name in [TRUSTED_ROOT].into_iter().chain(SIGNING_CONFIGS) {
            let (old, new) = (old.get(name).copied(), new.get(name).copied());
            match (json(old), json(new)) {
                _ if old == new => {}
                (Some(_), Some(Value::Null)) => sentences.add(name, "it is removed".to_owned()),
                (Some(before), Some(after)) => {
                    let compare = if name == TRUSTED_ROOT { changes::trusted_root } else { changes::signing_config };
                    let told = compare(&before, &after);
                    if told.is_empty() {
                        sentences.add(name, "it is written in another way, and says the same".to_owned());
                    }
                    for sentence in told {
                        sentences.add(name, sentence);
                    }
                }
                _ => sentences.add(name, "it is not JSON; clients cannot read it".to_owned()),
            }
        }
        Ok(sentences.into_lines().into_iter().chain(other_files(before, next, &new)?).collect())
    }
}

/// What root metadata changes.
fn of_keys(before: &Root, after: &Root) -> Vec<String> {
    let mut changes = Vec::new();
    for role in Role::ALL {
        let (old, new) = (before.role(role), after.role(role));
        for (keys, others, what) in [(new, old, "is added"), (old, new, "is removed")] {
            let lacking = keys.keys.iter().filter(|(_, key)| !others.keys.values().any(|other| other == *key));
            changes.extend(lacking.map(|(id, _)| format!("{role}: key {id} {what}")));
        }
        let rule =
            |RoleKeys { keys, threshold }: &RoleKeys| format!("{threshold} of {}", counted(keys.len(), "key", "keys"));
        let (earlier, later) = (rule(old), rule(new));
        if earlier != later {
            changes.push(format!("{role}: {later} must sign instead of {earlier}"));
        }
    }
    changes
}

/// What becomes of the files for older clients, which are made from the others.
fn other_files(
    before: &Metadata,
    next: &Metadata,
    new: &BTreeMap<String, &str>,
) -> Result<Vec<String>, InvalidMetadata> {
    let (old_list, new_list) = (before.member("targets")?, next.member("targets")?);
    let made = made_from(new);
    let names: BTreeSet<&String> =
        [old_list, new_list].into_iter().filter_map(Value::as_object).flat_map(Map::keys).collect();
    let (mut follows, mut changes) = (Vec::new(), Vec::new());
    for name in names.into_iter().filter(|name| old_list.get(*name) != new_list.get(*name)) {
        let is_told = name == TRUSTED_ROOT || SIGNING_CONFIGS.contains(&name.as_str());
        if made.as_ref().is_some_and(|made| made.get(name) == new_list.get(name)) {
            // Its contents have been compared.
            follows.extend((!is_told).then_some(name.as_str()));
            continue;
        }
        let what = match (old_list.get(name), new_list.get(name)) {
            (None, _) => "is added",
            (_, None) => "is removed",
            _ => "changes",
        };
        let reason =
            if is_told { "with what older clients read about it" } else { "and does not follow from the others" };
        changes.push(format!("{name} {what}, {reason}: read it before you sign"));
    }
    if !follows.is_empty() {
        changes.push(format!("files for older clients follow from that: {}", follows.join(", ")));
    }
    Ok(changes)
}

/// The list of all targets, if they are made from the trusted root and the signing configurations among `contents`.
fn made_from(contents: &BTreeMap<String, &str>) -> Option<Value> {
    let [config, rekor_v1, rekor_v2] = SIGNING_CONFIGS.map(|name| contents.get(name).copied());
    let publication = Publication::of_documents(contents.get(TRUSTED_ROOT)?, [config?, rekor_v1?, rekor_v2?])?;
    Some(publication.document())
}

/// The contents of the files that targets metadata lists, each with the right hash.
fn contents<'a>(
    metadata: &Metadata,
    files: &'a BTreeMap<String, String>,
) -> Result<BTreeMap<String, &'a str>, InvalidMetadata> {
    let mut contents = BTreeMap::new();
    for (name, facts) in listed_targets(metadata)? {
        let name = name.to_string();
        let text = files.get(&name).filter(|text| FileFacts::of(text.as_bytes()) == facts);
        let text = text.ok_or_else(|| InvalidMetadata::Differs { name: name.clone(), by: Role::Targets })?;
        contents.insert(name, text.as_str());
    }
    Ok(contents)
}

/// `null` for a file that is not there, and `None` for one that is not JSON.
fn json(text: Option<&str>) -> Option<Value> {
    text.map_or(Some(Value::Null), |text| serde_json::from_str(text).ok())
}

fn parse(document: &Value) -> Result<Metadata, InvalidMetadata> {
    Metadata::parse(document.to_string().as_bytes())
}

/// Sentences about files, each once, with all files of which it is true.
#[derive(Default)]
struct Sentences(Vec<(String, Vec<&'static str>)>);

impl Sentences {
    fn add(&mut self, file: &'static str, sentence: String) {
        match self.0.iter_mut().find(|(told, _)| *told == sentence) {
            Some((_, files)) => files.push(file),
            None => self.0.push((sentence, vec![file])),
        }
    }

    fn into_lines(self) -> Vec<String> {
        self.0.into_iter().map(|(sentence, files)| format!("{}: {sentence}", files.join(", "))).collect()
    }
}

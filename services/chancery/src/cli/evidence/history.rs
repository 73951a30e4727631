//! Trust files in a case: what the server shows of them, of now and of earlier, and the TUF metadata that vouches for them.
//!
//! They decide nothing about the case: the auditor's own trust root does. They show which keys the instance has published when,
//! and a chain of roots that the auditor can compare with the root that was pinned.

use super::{
    super::search::server::{AskError, Server},
    Fault,
};
use chancery_search::evidence::{Case, Draft, Member, TufRole};
use chancery_trust::tuf::{
    Metadata, Role, Root, TargetName,
    metadata::{MAX_BYTES, listed_metadata, listed_targets},
    repository::follow,
};
use chancery_verify::{hash::sha256, trust_root::limits::MAX_ROOT_BYTES};
use serde::Serialize;

/// The target with the trusted root.
const TRUSTED_ROOT: &str = "trusted_root.json";
/// Versions of root metadata that are kept.
const MAX_ROOTS: u64 = 256;
/// Versions of targets metadata that are asked for: of more, the newest.
const MAX_TARGETS: u64 = 64;

/// What the TUF metadata of a case proves about its trust files.
#[derive(Debug, Serialize)]
pub(super) struct History {
    /// SHA-256 of the first root metadata, to compare with the one that was pinned.
    pub(super) first_root_sha256: String,
    /// Version of the first.
    pub(super) first_root: u64,
    /// Version of the newest. Each was signed by enough keys of the one before.
    pub(super) newest_root: u64,
    /// Versions of targets metadata, signed by enough keys of one of these roots.
    pub(super) targets: Vec<u64>,
    /// The versions that list the trusted root of the case.
    pub(super) trusted_root_listed_in: Vec<u64>,
}

/// Adds the trust files that a server shows. A server without them is no fault.
pub(super) async fn gather(server: &Server, draft: &mut Draft) -> Result<(), AskError> {
    if let Some(root) = server.file("/trust/trusted_root.json", MAX_ROOT_BYTES).await? {
        draft.add(Member::TrustedRoot, root.to_vec());
    }
    for version in 1..=MAX_ROOTS {
        let Some(root) = metadata(server, &Role::Root.path(version)).await? else { break };
        draft.add(Member::Tuf(version, TufRole::Root), root);
    }
    let Some(newest) = newest_targets(server).await? else { return Ok(()) };
    for version in newest.saturating_sub(MAX_TARGETS).max(1)..=newest {
        let Some(targets) = metadata(server, &Role::Targets.path(version)).await? else { continue };
        for (name, facts) in Metadata::parse(&targets).and_then(|read| listed_targets(&read)).unwrap_or_default() {
            if name.as_str() == TRUSTED_ROOT {
                add_former(server, draft, &name.path(&facts)).await?;
            }
        }
        draft.add(Member::Tuf(version, TufRole::Targets), targets);
    }
    Ok(())
}

async fn metadata(server: &Server, path: &str) -> Result<Option<Vec<u8>>, AskError> {
    Ok(server.file(&format!("/tuf/{path}"), MAX_BYTES).await?.map(|contents| contents.to_vec()))
}

/// The version of the targets metadata that the repository shows.
async fn newest_targets(server: &Server) -> Result<Option<u64>, AskError> {
    let Some(timestamp) = metadata(server, &Role::Timestamp.path(1)).await? else { return Ok(None) };
    let listed = |text: &[u8], name: &str| {
        let listed = Metadata::parse(text).and_then(|read| listed_metadata(&read, name));
        listed.ok().map(|(version, _)| version)
    };
    let Some(snapshot) = listed(&timestamp, "snapshot.json") else { return Ok(None) };
    let Some(snapshot) = metadata(server, &Role::Snapshot.path(snapshot)).await? else { return Ok(None) };
    Ok(listed(&snapshot, "targets.json"))
}

/// Adds a trusted root under its own hash. The one of now is there, too.
async fn add_former(server: &Server, draft: &mut Draft, path: &str) -> Result<(), AskError> {
    let Some(root) = server.file(&format!("/tuf/{path}"), MAX_ROOT_BYTES).await? else { return Ok(()) };
    draft.add(Member::FormerRoot(&hex::encode(sha256(&root))), root.to_vec());
    Ok(())
}

/// Verifies the TUF metadata of a case: the roots follow one another without a gap, each signed by enough keys of itself and of
/// the one before; targets metadata is signed by enough keys of one of them, and each trusted root beside the one of now is
/// listed in it.
pub(super) fn verify(case: &Case) -> Result<Option<History>, Fault> {
    let Some((mut history, roots)) = roots(case)? else {
        return match case.members().find(|(member, ..)| matches!(member, Member::Tuf(..) | Member::FormerRoot(_))) {
            Some((_, name, _)) => Err(Fault::of(name, "the case has no TUF root that vouches for it")),
            None => Ok(None),
        };
    };
    let given = case.member(Member::TrustedRoot).map(|contents| hex::encode(sha256(contents)));
    let mut listed = Vec::new();
    for (member, name, contents) in case.members() {
        let Member::Tuf(version, TufRole::Targets) = member else { continue };
        let targets = read(name, contents, Role::Targets, version)?;
        if !roots.iter().any(|root| root.verify(&targets).is_ok()) {
            return Err(Fault::of(name, "no root of the case has keys that signed it"));
        }
        history.targets.push(version);
        let target = listed_targets(&targets).map_err(|error| Fault::of(name, error.to_string()))?;
        let is_root = |name: &TargetName| name.as_str() == TRUSTED_ROOT;
        let root = target.into_iter().find(|(name, _)| is_root(name)).map(|(_, facts)| facts.sha256);
        if root.is_some() && root == given {
            history.trusted_root_listed_in.push(version);
        }
        listed.extend(root);
    }
    history.targets.sort_unstable();
    history.trusted_root_listed_in.sort_unstable();
    for (member, name, _) in case.members() {
        if let Member::FormerRoot(fingerprint) = member
            && !listed.iter().any(|listed| listed == fingerprint)
        {
            return Err(Fault::of(name, "no targets metadata of the case lists it"));
        }
    }
    Ok(Some(history))
}

/// The roots of a case, in the order of their versions.
fn roots(case: &Case) -> Result<Option<(History, Vec<Root>)>, Fault> {
    let mut members: Vec<(u64, &str, &[u8])> = Vec::new();
    for (member, name, contents) in case.members() {
        if let Member::Tuf(version, TufRole::Root) = member {
            members.push((version, name, contents));
        }
    }
    members.sort_unstable_by_key(|(version, ..)| *version);
    let (Some((first, _, contents)), Some((newest, ..))) = (members.first().copied(), members.last().copied()) else {
        return Ok(None);
    };
    let history = History {
        first_root_sha256: hex::encode(sha256(contents)),
        first_root: first,
        newest_root: newest,
        targets: Vec::new(),
        trusted_root_listed_in: Vec::new(),
    };
    let mut roots: Vec<Root> = Vec::new();
    for (expected, (version, name, contents)) in (first..).zip(members) {
        if version != expected {
            return Err(Fault::of(name, format!("the case does not have version {expected}, which comes before it")));
        }
        let metadata = read(name, contents, Role::Root, version)?;
        let root = follow(roots.last(), &metadata);
        roots.push(root.map_err(|error| Fault::of(name, error.to_string()))?);
    }
    Ok(Some((history, roots)))
}

fn read(name: &str, contents: &[u8], role: Role, version: u64) -> Result<Metadata, Fault> {
    let metadata = Metadata::parse(contents).map_err(|error| Fault::of(name, error.to_string()))?;
    if metadata.role == role && metadata.version == version {
        Ok(metadata)
    } else {
        Err(Fault::of(name, "it is metadata of another role or version than its name says"))
    }
}

//! Checks a case: derives everything that it claims again, from bytes that a log of the trust root has signed.
//!
//! [`Case::open`] has compared each member with the manifest. Then, in this order:
//!
//! 1. A log of the trust root signed each checkpoint. The newest one of a log extends each older one of it. No log is there
//!    under two names: a log of signatures is its key and its origin, since one key may sign several trees in turn. Signatures
//!    of certificate logs do not cover the origin, so there the key alone decides.
//! 2. Each entry is in the tree of a checkpoint of its log, at its place. Its time is the one that the log signed, where the
//!    log signs one. An entry of Rekor v1 has its promise, or says that the server gave none. Each statement has the hash that
//!    an entry states.
//! 3. The first answer is the question of the manifest. The others are about the serial numbers of certificates in its
//!    signatures, and have entries of certificate logs, each once. Each entry that an answer names is there, and meets its
//!    question. Each entry that is there is named. No answer says that more of a log was searched than the log has.
//! 4. Each entry is judged by itself: promise, chain, SCTs and signature, or the authority that issued the certificate. A
//!    signer who is not trusted is no fault of the case: the log has the entry, and the report says why it is refused. Nothing
//!    that no log has signed makes a signer or a certificate untrusted: it is a fault then.
//! 5. Each certificate of an entry is there, and no other. The entry of a certificate log that has it is found by its bytes.
//! 6. Trust files and audit lines are about what is in the case. The check verifies no signature on them: TUF metadata is the
//!    caller's to verify, and audit lines are the CA's word.

use super::case::Case;
use super::certificates;
use super::documents::{self, Answered, Consistency, Entry, Place};
use super::fault::Fault;
use super::judgement::{Head, Read};
use super::member::Member;
use super::question::Question;
use super::report::{Issued, LogReport, Report, Signature};
use crate::answer::entry::parsed;
use crate::source::LogKind;
use chancery_verify::hash::sha256;
use chancery_verify::merkle::{TreeHead, leaf_hash, verify_consistency, verify_inclusion};
use chancery_verify::rekor::attestation_hash;
use chancery_verify::terms::{Term, TermKind};
use chancery_verify::trust_root::{Section, TrustRoot};
use chancery_verify::verifier::{VerifiedHead, Verifier};
use chancery_verify::{Hash, Timestamp, entries, leaves};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// A log of a case.
struct Log {
    newest: Head,
    /// By the size of the tree.
    older: BTreeMap<u64, Head>,
}

/// The entries of a case, by their places.
type Entries<'a> = BTreeMap<Place, Read<'a>>;

/// For each entry those with the same certificate.
type Uses<'a> = BTreeMap<&'a Place, BTreeSet<&'a Place>>;

/// Checks a case with the trust root of whoever checks it, in the order of this module.
///
/// # Errors
/// The first fault. The case is then not what it claims to be, or the trust root does not know its logs.
pub fn check(case: &Case, verifier: &Verifier, now: Timestamp) -> Result<Report, Fault> {
    let mut report = Report::of(case.server(), case.question());
    // (1)
    let logs = logs(case, verifier, now)?;
    // (2)
    let mut entries = read_entries(case, &logs)?;
    attestations(case, &entries)?;
    // (3)
    let complete_to = answers(case, &logs, &mut entries)?;
    report.logs = logs
        .iter()
        .map(|(name, log)| LogReport {
            log: (*name).to_owned(),
            head: log.newest.verified.clone(),
            extends: log.older.keys().copied().collect(),
            complete_to: complete_to.get(*name).copied(),
        })
        .collect();
    // (4)
    for read in entries.values() {
        match read.kind {
            LogKind::Rekor => report.signatures.extend(read.signatures(verifier, now)?),
            LogKind::Certificates => report.certificates.push(read.issued(verifier, now)?),
        }
    }
    // (5)
    link(&entries, &mut report.signatures, &mut report.certificates);
    let fingerprints = present_certificates(case, &entries)?;
    // (6)
    trust_files(case, verifier, &mut report)?;
    report.audit_lines = audit_lines(case, &fingerprints, &entries, &logs)?;
    Ok(report)
}

fn logs<'a>(case: &'a Case, verifier: &Verifier, now: Timestamp) -> Result<BTreeMap<&'a str, Log>, Fault> {
    let open = |name: &str, note: String| -> Result<Head, Fault> {
        let verified = verifier.verify_checkpoint(&note, now).map_err(|refusal| Fault::refused(name, refusal))?;
        Ok(Head { note, verified })
    };
    let mut logs = BTreeMap::new();
    let mut ids = BTreeSet::new();
    for (member, name, contents) in case.members() {
        let Member::Checkpoint(log) = member else { continue };
        let note = String::from_utf8(contents.to_vec()).map_err(|_| Fault::of(name, "it is not text"))?;
        let newest = open(name, note)?;
        if !ids.insert(identity(&newest)) {
            return Err(Fault::of(name, "it is of a log that the case has under another name, too"));
        }
        logs.insert(log, Log { newest, older: BTreeMap::new() });
    }
    for (member, name, contents) in case.members() {
        let Member::Consistency(log, size) = member else { continue };
        let log: &mut Log = logs.get_mut(log).ok_or_else(|| Fault::of(name, "its log has no checkpoint"))?;
        let Consistency { checkpoint, hashes } = documents::parse(name, contents)?;
        let older = open(name, checkpoint)?;
        if identity(&older) != identity(&log.newest) || older.verified.tree_size != size {
            return Err(Fault::of(name, "its checkpoint is of another log, or of another size"));
        }
        let tree = |head: &Head| TreeHead { size: head.verified.tree_size, root: head.verified.root_hash };
        verify_consistency(&tree(&older), &tree(&log.newest), &documents::hashes(name, &hashes)?)
            .map_err(|rejection| Fault::of(name, format!("the newest checkpoint does not extend it: {rejection}")))?;
        log.older.insert(size, older);
    }
    Ok(logs)
}

/// What makes a log one log, of that which it has signed.
fn identity(head: &Head) -> (Hash, Option<String>) {
    let VerifiedHead { log_id, origin, .. } = &head.verified;
    (*log_id, (kind(head) == LogKind::Rekor).then(|| origin.clone()))
}

fn read_entries<'a>(case: &'a Case, logs: &'a BTreeMap<&'a str, Log>) -> Result<Entries<'a>, Fault> {
    let mut entries = BTreeMap::new();
    for (member, name, contents) in case.members() {
        let Member::Entry(log_name, index) = member else { continue };
        let log = logs.get(log_name).ok_or_else(|| Fault::of(name, "its log has no checkpoint"))?;
        let decoded = documents::parse::<Entry>(name, contents)?.decoded(name)?;
        let newest = Some(&log.newest).filter(|head| head.verified.tree_size == decoded.tree_size);
        let head = newest.or_else(|| log.older.get(&decoded.tree_size));
        let head = head.ok_or_else(|| {
            Fault::of(name, format!("the case has no checkpoint of {} of its log", leaves(decoded.tree_size)))
        })?;
        let leaf_hash = leaf_hash(&decoded.leaf);
        verify_inclusion(index, head.verified.tree_size, &leaf_hash, &decoded.hashes, &head.verified.root_hash)
            .map_err(|rejection| Fault::of(name, format!("it is not in its log at this place: {rejection}")))?;
        let kind = kind(head);
        let attestation = attestation_hash(&decoded.leaf).map(hex::encode);
        let attestation = attestation.and_then(|sha256| case.member(Member::Attestation(&sha256)));
        let attestation = attestation.filter(|_| kind == LogKind::Rekor);
        let read = |statement| parsed(kind, &decoded.leaf, &decoded.extra, statement);
        // What a server keeps beside it counts only if it is a statement.
        let parsed = read(attestation).or_else(|_| read(None)).ok();
        let (member, place) = (name, Place { log: log_name.to_owned(), index });
        let read = Read { member, place, kind, head, decoded, attestation, leaf_hash, parsed, is_answer: false };
        read.verify_promise()?;
        read.verify_time()?;
        entries.insert(read.place.clone(), read);
    }
    Ok(entries)
}

/// Checks that each statement has the hash in its name, and that an entry has this hash.
fn attestations(case: &Case, entries: &Entries<'_>) -> Result<(), Fault> {
    let of_signatures = entries.values().filter(|read| read.kind == LogKind::Rekor);
    let named: BTreeSet<Hash> = of_signatures.filter_map(|read| attestation_hash(&read.decoded.leaf)).collect();
    for (member, name, contents) in case.members() {
        let Member::Attestation(fingerprint) = member else { continue };
        let computed = sha256(contents);
        if hex::encode(computed) != fingerprint {
            return Err(Fault::of(name, "it does not have the hash in its name"));
        }
        if !named.contains(&computed) {
            return Err(Fault::of(name, "no entry of the case has the hash of this statement"));
        }
    }
    Ok(())
}

fn kind(head: &Head) -> LogKind {
    match head.verified.section {
        Section::CertificateTransparencyLogs => LogKind::Certificates,
        _ => LogKind::Rekor,
    }
}

/// Checks every answer, and marks the entries that answer the question of the case. Returns how much of each log was searched
/// for it.
fn answers(case: &Case, logs: &BTreeMap<&str, Log>, entries: &mut Entries<'_>) -> Result<BTreeMap<String, u64>, Fault> {
    let first = Member::Answer(0).to_string();
    let mut complete_to = None;
    let (mut named, mut serials, mut beside) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for (member, name, contents) in case.members() {
        let Member::Answer(number) = member else { continue };
        let answer: Answered = documents::parse(name, contents)?;
        verify_answer(name, &answer, logs, entries)?;
        if number == 0 {
            if answer.question != case.question() {
                return Err(Fault::of(name, "it answers another question than the manifest names"));
            }
            for place in &answer.entries {
                if let Some(read) = entries.get_mut(place) {
                    read.is_answer = true;
                    serials.extend(serials_of(read));
                }
            }
            complete_to = Some(answer.complete_to.into_iter().map(|log| (log.log, log.size)).collect());
        } else {
            verify_beside(name, &answer, &serials, entries)?;
            // Each is read for one question.
            let doubled = answer.entries.iter().find(|place| !beside.insert(Place::clone(place)));
            if let Some(Place { log, index }) = doubled {
                return Err(Fault::of(name, format!("another answer names entry {index} of {log}, too")));
            }
        }
        named.extend(answer.entries);
    }
    let stray = entries.values().find(|read| !named.contains(&read.place));
    if let Some(read) = stray {
        return Err(Fault::of(read.member, "no answer names it"));
    }
    complete_to.ok_or_else(|| Fault::of(first, "there is no answer to the question"))
}

/// Serial numbers of the certificates of an entry of a log of signatures.
fn serials_of(read: &Read<'_>) -> Vec<String> {
    let terms = if read.kind == LogKind::Rekor { read.traits().terms } else { Vec::new() };
    terms.iter().filter(|term| term.kind() == TermKind::CertificateSerial).map(Term::text).collect()
}

/// Checks that an answer beside the first one is about certificates of signatures of the first one.
fn verify_beside(
    name: &str,
    answer: &Answered,
    serials: &BTreeSet<String>,
    entries: &Entries<'_>,
) -> Result<(), Fault> {
    let serial = TermKind::CertificateSerial.name();
    let is_about_them =
        |(filter, value): &(String, String)| filter == "log" || (filter == serial && serials.contains(value));
    let asks_for_serials = answer.question.iter().any(|(filter, _)| filter == serial);
    if !asks_for_serials || !answer.question.iter().all(is_about_them) {
        return Err(Fault::of(name, "its question is not about certificates of the entries that answer the first one"));
    }
    let is_other = |read: &Read<'_>| read.kind != LogKind::Certificates;
    match answer.entries.iter().find(|place| entries.get(*place).is_none_or(is_other)) {
        Some(Place { log, index }) => Err(Fault::of(name, format!("entry {index} of {log} is no certificate"))),
        None => Ok(()),
    }
}

fn verify_answer(
    name: &str,
    answer: &Answered,
    logs: &BTreeMap<&str, Log>,
    entries: &Entries<'_>,
) -> Result<(), Fault> {
    let question = Question::of_member(name, &answer.question)?;
    let is_in_order = |ordered: bool| {
        if ordered { Ok(()) } else { Err(Fault::of(name, "it names something twice, or not in order")) }
    };
    is_in_order(answer.entries.is_sorted_by(|one, next| one < next))?;
    is_in_order(answer.complete_to.is_sorted_by(|one, next| one.log < next.log))?;
    for searched in &answer.complete_to {
        let size = logs.get(searched.log.as_str()).map_or(0, |log| log.newest.verified.tree_size);
        if searched.size > size {
            let (most, said) = (self::entries(size), self::entries(searched.size));
            return Err(Fault::of(
                name,
                format!("it says that {said} of {} were searched, which has {most}", searched.log),
            ));
        }
    }
    for place in &answer.entries {
        let Place { log, index } = place;
        let read = entries.get(place);
        let read =
            read.ok_or_else(|| Fault::of(name, format!("it names entry {index} of {log}, which is not there")))?;
        // They are in order.
        let searched = answer.complete_to.binary_search_by(|searched| searched.log.cmp(log)).ok();
        let searched = searched.and_then(|position| answer.complete_to.get(position));
        let is_searched = searched.is_some_and(|searched| *index < searched.size);
        let is_met = question.is_met_by(place, &read.traits());
        if !is_searched || !is_met {
            return Err(Fault::of(name, format!("entry {index} of {log} is no answer to its question")));
        }
    }
    Ok(())
}

/// Finds for each signature the entries of certificate logs with its certificate, and the other way round.
fn link(entries: &Entries<'_>, signatures: &mut [Signature], certificates: &mut [Issued]) {
    let of_kind = |kind: LogKind| entries.values().filter(move |read| read.kind == kind);
    let mut logged: BTreeMap<Hash, Vec<&Place>> = BTreeMap::new();
    for read in of_kind(LogKind::Certificates) {
        for key in read.certificate_keys() {
            logged.entry(key).or_default().push(&read.place);
        }
    }
    let (mut logged_in, mut used_in) = (Uses::new(), Uses::new());
    for read in of_kind(LogKind::Rekor) {
        for issued in read.certificate_keys().iter().filter_map(|key| logged.get(key)).flatten() {
            logged_in.entry(&read.place).or_default().insert(*issued);
            used_in.entry(*issued).or_default().insert(&read.place);
        }
    }
    let listed = |uses: &Uses<'_>, place: &Place| -> Vec<Place> {
        uses.get(place).into_iter().flatten().map(|place| Place::clone(place)).collect()
    };
    for signature in signatures {
        // A refused signer has no certificate that counts.
        if signature.authority.is_some() {
            signature.certificate_logged_in = listed(&logged_in, &signature.place);
        }
    }
    for certificate in certificates {
        certificate.used_in = listed(&used_in, &certificate.place);
    }
}

/// Checks that the certificates of entries are there, and no others. Returns their fingerprints.
fn present_certificates(case: &Case, entries: &Entries<'_>) -> Result<BTreeSet<String>, Fault> {
    let of_signatures = entries.values().filter(|read| read.kind == LogKind::Rekor);
    let ders = of_signatures.flat_map(|read| certificates::of_body(&read.decoded.leaf));
    let fingerprints: BTreeSet<String> = ders.map(|der| hex::encode(sha256(&der))).collect();
    for (member, name, contents) in case.members() {
        let Member::Certificate(fingerprint) = member else { continue };
        if !fingerprints.contains(fingerprint) {
            return Err(Fault::of(name, "no entry of the case has this certificate"));
        }
        certificates::verify_pem(name, fingerprint, contents)?;
    }
    let is_there = |fingerprint: &&String| case.member(Member::Certificate(fingerprint)).is_some();
    match fingerprints.iter().find(|fingerprint| !is_there(fingerprint)) {
        Some(missing) => {
            let name = Member::Certificate(missing).to_string();
            Err(Fault::of(name, "an entry of the case has this certificate, and it is not there"))
        }
        None => Ok(fingerprints),
    }
}

fn trust_files(case: &Case, verifier: &Verifier, report: &mut Report) -> Result<(), Fault> {
    let read =
        |name: &str, contents: &[u8]| TrustRoot::parse(contents).map_err(|refusal| Fault::refused(name, refusal));
    for (member, name, contents) in case.members() {
        match member {
            Member::TrustedRoot => {
                report.trust.is_the_given = Some(read(name, contents)? == *verifier.trust_root());
            }
            Member::FormerRoot(fingerprint) => {
                read(name, contents)?;
                if hex::encode(sha256(contents)) != fingerprint {
                    return Err(Fault::of(name, "it does not have the hash in its name"));
                }
                report.trust.former.push(fingerprint.to_owned());
            }
            _ => {}
        }
    }
    Ok(())
}

/// Checks that every line of the CA's audit log is about a certificate of the case. Returns how many there are.
fn audit_lines(
    case: &Case,
    fingerprints: &BTreeSet<String>,
    entries: &Entries<'_>,
    logs: &BTreeMap<&str, Log>,
) -> Result<usize, Fault> {
    let Some(contents) = case.member(Member::Audit) else { return Ok(0) };
    let name = Member::Audit.to_string();
    let logs_by_id = |id: &str| logs.iter().find(|(_, log)| hex::encode(log.newest.verified.log_id) == id);
    let text = std::str::from_utf8(contents).map_err(|_| Fault::of(&name, "it is not text"))?;
    for (number, line) in text.lines().enumerate() {
        let line: Value = documents::parse(&name, line.as_bytes())?;
        let has_certificate =
            line["fingerprint"].as_str().is_some_and(|fingerprint| fingerprints.contains(fingerprint));
        let place = line["ct"]["log_id"].as_str().and_then(logs_by_id).zip(line["ct"]["index"].as_u64());
        let place = place.map(|((log, _), index)| Place { log: (*log).to_owned(), index });
        if !has_certificate && place.is_none_or(|place| !entries.contains_key(&place)) {
            return Err(Fault::of(&name, format!("line {} is about no certificate of the case", number + 1)));
        }
    }
    Ok(text.lines().count())
}

//! Asks a server for entries and for everything that proves them. Nothing of it is verified here.

use super::super::{
    artifact::evidence::{CompleteTo as Searched, Shown},
    search::{
        beside::{Beside, beside},
        server::{AskError, Server, not_understood},
    },
};
use super::{Failure, history};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_search::evidence::{
    Answered, CompleteTo, Consistency, Draft, Entry, Member, Place, Promise, Question, archive::MAX_BYTES,
    pem_with_chain,
};
use chancery_verify::{
    hash::sha256,
    rekor::logged::{self, LoggedSigner},
    shown,
    terms::{self, TermKind},
    trust_root::TrustRoot,
};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet, btree_map};

/// Entries of one page.
const PAGE: usize = 200;
/// Most entries of a case, over all questions.
const MAX_ENTRIES: usize = 20_000;
/// Entries for which it is asked what is beside them, before that is looked at: it may be large, and little of it is kept.
const TOGETHER: usize = 8;
/// Pages without an entry in a row: a server may answer with some while it searches.
const MAX_EMPTY_PAGES: usize = 1000;
/// Serial numbers of one question: as many as a filter may have values.
const SERIALS: usize = 32;
/// What the search calls a log of certificates.
const CERTIFICATES: &str = "certificates";

/// A page of entries with their proofs.
#[derive(Deserialize)]
struct Page {
    entries: Vec<Shown>,
    cursor: Option<String>,
    complete_to: Vec<Searched>,
}

/// A consistency proof.
#[derive(Deserialize)]
struct Extends {
    hashes: Vec<String>,
}

/// What was gathered so far.
#[derive(Default)]
struct Gathered {
    entries: BTreeMap<Place, Entry>,
    /// Statements that were needed, by their SHA-256 in hexadecimal.
    attestations: BTreeMap<String, Vec<u8>>,
    answers: Vec<Answered>,
    /// For each log its checkpoints by the sizes of their trees.
    checkpoints: BTreeMap<String, BTreeMap<u64, String>>,
    certificate_logs: BTreeSet<String>,
    /// Bytes of all this, about.
    bytes: usize,
}

/// Everything that answers `question`, and what proves it.
pub(super) async fn gather(server: &Server, question: &[(String, String)], root: &TrustRoot) -> Result<Draft, Failure> {
    let mut gathered = Gathered::default();
    gathered.ask(server, question.to_vec()).await?;
    // Each certificate has an entry in a certificate log, perhaps outside of the period of the question.
    let serials: Vec<String> = gathered.serials().into_iter().collect();
    let logs: Vec<String> = gathered.certificate_logs.iter().cloned().collect();
    for serials in serials.chunks(SERIALS).filter(|_| !logs.is_empty()) {
        let of = |name: &str, values: &[String]| -> Vec<(String, String)> {
            values.iter().map(|value| (name.to_owned(), value.clone())).collect()
        };
        let question = [of(TermKind::CertificateSerial.name(), serials), of("log", &logs)].concat();
        gathered.ask(server, question).await?;
    }
    let mut draft = gathered.draft(server, root).await?;
    history::gather(server, &mut draft).await?;
    Ok(draft)
}

impl Gathered {
    /// Asks one question, page by page.
    async fn ask(&mut self, server: &Server, question: Vec<(String, String)>) -> Result<(), Failure> {
        let meant = Question::read(&question).map_err(AskError::Refused)?;
        let mut answer = Answered { question: question.clone(), entries: Vec::new(), complete_to: Vec::new() };
        let fixed = [("proof", "1".to_owned()), ("limit", PAGE.to_string())];
        let fixed = fixed.into_iter().map(|(name, value)| (name.to_owned(), value));
        let asked: Vec<(String, String)> = question.into_iter().chain(fixed).collect();
        let mut cursor: Option<String> = None;
        let mut empty_pages = 0;
        loop {
            let next = cursor.take().map(|cursor| ("cursor".to_owned(), cursor));
            let parameters: Vec<_> = asked.iter().cloned().chain(next).collect();
            let page: Page = server.json("/api/search", &parameters).await?;
            empty_pages = if page.entries.is_empty() { empty_pages + 1 } else { 0 };
            self.searched(&mut answer, &page.complete_to);
            let mut entries = page.entries.into_iter();
            loop {
                let together: Vec<Shown> = entries.by_ref().take(TOGETHER).collect();
                if together.is_empty() {
                    break;
                }
                self.add(server, together, &page.complete_to, &meant, &mut answer).await?;
            }
            // A server that shows the same again and again is found by the answer, which has all of it.
            if self.entries.len().max(answer.entries.len()) > MAX_ENTRIES || empty_pages > MAX_EMPTY_PAGES {
                let reason = format!("a case has at most {MAX_ENTRIES} entries; ask for a shorter period");
                return Err(Failure::Unfit(reason));
            }
            self.fits()?;
            cursor = page.cursor;
            if cursor.is_none() {
                break;
            }
        }
        answer.entries.sort();
        answer.complete_to.sort();
        self.answers.push(answer);
        Ok(())
    }

    /// Adds entries of a page, with what is beside them.
    async fn add(
        &mut self,
        server: &Server,
        entries: Vec<Shown>,
        searched: &[Searched],
        question: &Question,
        answer: &mut Answered,
    ) -> Result<(), Failure> {
        let ids = self.unknown_ids(&entries);
        let mut besides: BTreeMap<String, Beside> = BTreeMap::new();
        for (id, beside) in ids.iter().zip(beside(server, &ids).await?) {
            besides.extend(beside.map(|beside| (id.clone(), beside)));
        }
        for shown in entries {
            let beside = besides.remove(&shown.id);
            answer.entries.push(self.entry(shown, beside, searched, question)?);
        }
        self.fits()
    }

    /// Ends what could be no case in any event, before it is all in memory.
    fn fits(&self) -> Result<(), Failure> {
        if self.bytes <= MAX_BYTES {
            return Ok(());
        }
        Err(Failure::Unfit(format!("a case has at most {MAX_BYTES} bytes; ask for a shorter period")))
    }

    /// Notes the checkpoints of a page, and how much was searched for all pages of an answer.
    fn searched(&mut self, answer: &mut Answered, searched: &[Searched]) {
        for log in searched {
            match answer.complete_to.iter_mut().find(|known| known.log == log.log) {
                Some(known) => known.size = known.size.min(log.size),
                None => answer.complete_to.push(CompleteTo { log: log.log.clone(), size: log.size }),
            }
            if let Some(checkpoint) = &log.checkpoint {
                let checkpoints = self.checkpoints.entry(log.log.clone()).or_default();
                if let btree_map::Entry::Vacant(place) = checkpoints.entry(checkpoint.tree_size) {
                    self.bytes = self.bytes.saturating_add(checkpoint.note.len());
                    place.insert(checkpoint.note.clone());
                }
            }
            if log.holds == CERTIFICATES {
                self.certificate_logs.insert(log.log.clone());
            }
        }
    }

    /// Ids of entries that were not shown before, in logs of signatures.
    fn unknown_ids(&self, entries: &[Shown]) -> Vec<String> {
        let is_unknown = |shown: &&Shown| {
            let place = Place { log: shown.log.clone(), index: shown.index };
            !self.certificate_logs.contains(&shown.log) && !self.entries.contains_key(&place)
        };
        entries.iter().filter(is_unknown).map(|shown| shown.id.clone()).collect()
    }

    /// Keeps an entry, unless it is there. Its proof leads to the checkpoint of its page. `beside` is what a log of Rekor v1
    /// has beside it: of that the promise is kept, and the statement if the entry is no answer without it.
    fn entry(
        &mut self,
        shown: Shown,
        beside: Option<Beside>,
        searched: &[Searched],
        question: &Question,
    ) -> Result<Place, Failure> {
        let place = Place { log: shown.log, index: shown.index };
        if self.entries.contains_key(&place) {
            return Ok(place);
        }
        let log = searched.iter().find(|log| log.log == place.log);
        let checkpoint = log.and_then(|log| log.checkpoint.as_ref());
        let (Some(checkpoint), Some(proof)) = (checkpoint, shown.proof) else {
            return Err(not_understood().into());
        };
        let is_asked = beside.is_some();
        let Beside { promise, attestation } = beside.unwrap_or_default();
        let entry = Entry {
            time: shown.time,
            tree_size: checkpoint.tree_size,
            hashes: proof.hashes,
            leaf: proof.leaf,
            extra: proof.extra,
            promise_withheld: is_asked && promise.is_none(),
            promise: promise.map(|promise| Promise {
                log_index: promise.log_index,
                integrated_time: promise.integrated_time.seconds(),
                signature: STANDARD.encode(promise.signature),
            }),
        };
        let parts = entry.hashes.iter().chain([&entry.leaf, &entry.extra]);
        self.bytes = self.bytes.saturating_add(parts.map(String::len).sum());
        if let Some(statement) = attestation.filter(|_| question.needs_statement(&place, &entry)) {
            self.bytes = self.bytes.saturating_add(statement.len());
            self.attestations.insert(hex::encode(sha256(&statement)), statement);
        }
        self.entries.insert(place.clone(), entry);
        Ok(place)
    }

    /// The bodies of entries of logs of signatures.
    fn bodies(&self) -> impl Iterator<Item = Vec<u8>> {
        let of_signatures = self.entries.iter().filter(|(place, _)| !self.certificate_logs.contains(&place.log));
        of_signatures.filter_map(|(_, entry)| STANDARD.decode(&entry.leaf).ok())
    }

    /// Serial numbers of all certificates of signatures.
    fn serials(&self) -> BTreeSet<String> {
        let terms = self.bodies().filter_map(|body| terms::of_rekor(&body).ok()).flatten();
        terms.filter(|term| term.kind() == TermKind::CertificateSerial).map(|term| term.text()).collect()
    }

    /// Makes members of everything. All proofs of a log lead to its newest checkpoint: the older ones are proven to be of the
    /// same log.
    async fn draft(self, server: &Server, root: &TrustRoot) -> Result<Draft, Failure> {
        let mut draft = Draft::default();
        for body in self.bodies() {
            for signer in logged::signers(&body).unwrap_or_default() {
                if let LoggedSigner::Certificate(der) = signer {
                    let fingerprint = hex::encode(sha256(&der));
                    draft.add(Member::Certificate(&fingerprint), pem_with_chain(&der, root).into_bytes());
                }
            }
        }
        for (fingerprint, statement) in &self.attestations {
            draft.add(Member::Attestation(fingerprint), statement.clone());
        }
        for (log, checkpoints) in &self.checkpoints {
            let Some((newest, note)) = checkpoints.last_key_value() else { continue };
            named(Member::Checkpoint(log))?;
            draft.add(Member::Checkpoint(log), note.clone().into_bytes());
            for (size, note) in checkpoints.range(..*newest) {
                let is_needed = |(place, entry): (&Place, &Entry)| place.log == *log && entry.tree_size == *size;
                if self.entries.iter().any(is_needed) {
                    let sizes = [("log", log.clone()), ("first", size.to_string()), ("second", newest.to_string())];
                    let sizes = sizes.map(|(name, value)| (name.to_owned(), value));
                    let Extends { hashes } = server.json("/api/search/consistency", &sizes).await?;
                    draft.add_consistency(log, *size, &Consistency { checkpoint: note.clone(), hashes })?;
                }
            }
        }
        for (Place { log, index }, entry) in &self.entries {
            draft.add_entry(log, *index, entry)?;
        }
        for (number, answer) in (0..).zip(&self.answers) {
            draft.add_answer(number, answer)?;
        }
        Ok(draft)
    }
}

/// Refuses the name of a log that no member can have.
fn named(member: Member<'_>) -> Result<(), Failure> {
    if Member::of(&member.to_string()) == Some(member) {
        return Ok(());
    }
    let name = shown(member.log().unwrap_or_default());
    Err(Failure::Unfit(format!(
        "the server calls a log {name}, which a case cannot: it takes at most 32 lower-case letters, digits and hyphens; name a log \
         that is followed with chancery search follow --name"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::search::server::ServerArguments;
    use axum::{Json, Router, routing::get};
    use serde_json::{Value, json};
    use tokio::net::TcpListener;

    /// Asks a server that answers every search with the same, for more than fits into a case.
    async fn told(page: Value) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let routes = Router::new().route("/api/search", get(move || async move { Json(page) }));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        let server = Server::new(&ServerArguments::at(&url), None).unwrap();
        let question = [("kind".to_owned(), "hashedrekord".to_owned())];
        match gather(&server, &question, &TrustRoot::default()).await {
            Err(Failure::Unfit(reason)) => reason,
            Err(failure) => format!("{failure:?}"),
            Ok(_) => "gathered".to_owned(),
        }
    }

    fn page(log: &str, entries: usize, note: &str) -> Value {
        let entry = json!({
            "log": log, "index": 0, "id": "00", "time": null, "proof": { "leaf": "e30=", "hashes": [] },
        });
        let checkpoint = json!({ "tree_size": 1, "root_hash": "00", "note": note });
        let complete_to = json!([{ "log": log, "holds": "signatures", "size": 1, "checkpoint": checkpoint }]);
        json!({ "entries": vec![entry; entries], "cursor": "again", "complete_to": complete_to })
    }

    #[tokio::test]
    async fn a_server_that_never_comes_to_an_end_is_left() {
        assert!(told(page("rekor", 1000, "note")).await.contains("at most 20000 entries"));
        assert!(told(page("rekor", 0, "note")).await.contains("at most 20000 entries"));
    }

    #[tokio::test]
    async fn a_log_with_a_name_that_no_member_has_is_named() {
        let mut page = page("rekor.example - 7", 1, "note");
        page["cursor"] = Value::Null;
        let told = told(page).await;
        assert!(told.contains("calls a log rekor.example - 7") && told.contains("--name"), "{told}");
    }

    #[test]
    fn what_is_larger_than_a_case_is_not_gathered() {
        let with = |bytes| Gathered { bytes, ..Gathered::default() }.fits();
        assert!(with(MAX_BYTES).is_ok());
        assert!(matches!(with(MAX_BYTES + 1), Err(Failure::Unfit(_))));
    }
}

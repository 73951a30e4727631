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
    Answered, CompleteTo, Consistency, Draft, Entry, Member, Place, Promise, Question, pem_with_chain,
};
use chancery_verify::{
    hash::sha256,
    rekor::logged::{self, LoggedSigner},
    terms::{self, TermKind},
    trust_root::TrustRoot,
};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// Entries of one page.
const PAGE: usize = 200;
/// Most entries of a case, over all questions.
const MAX_ENTRIES: usize = 20_000;
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
            let ids = self.unknown_ids(&page);
            let mut besides: BTreeMap<String, Beside> = BTreeMap::new();
            for (id, beside) in ids.iter().zip(beside(server, &ids).await?) {
                besides.extend(beside.map(|beside| (id.clone(), beside)));
            }
            for shown in page.entries {
                let beside = besides.remove(&shown.id);
                answer.entries.push(self.entry(shown, beside, &page.complete_to, &meant)?);
            }
            if self.entries.len() > MAX_ENTRIES || empty_pages > MAX_EMPTY_PAGES {
                let reason = format!("a case has at most {MAX_ENTRIES} entries; ask for a shorter period");
                return Err(AskError::Unanswered(reason).into());
            }
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

    /// Notes the checkpoints of a page, and how much was searched for all pages of an answer.
    fn searched(&mut self, answer: &mut Answered, searched: &[Searched]) {
        for log in searched {
            match answer.complete_to.iter_mut().find(|known| known.log == log.log) {
                Some(known) => known.size = known.size.min(log.size),
                None => answer.complete_to.push(CompleteTo { log: log.log.clone(), size: log.size }),
            }
            if let Some(checkpoint) = &log.checkpoint {
                let checkpoints = self.checkpoints.entry(log.log.clone()).or_default();
                checkpoints.entry(checkpoint.tree_size).or_insert_with(|| checkpoint.note.clone());
            }
            if log.holds == CERTIFICATES {
                self.certificate_logs.insert(log.log.clone());
            }
        }
    }

    /// Ids of the entries of a page that were not shown before, in logs of signatures.
    fn unknown_ids(&self, page: &Page) -> Vec<String> {
        let is_unknown = |shown: &&Shown| {
            let place = Place { log: shown.log.clone(), index: shown.index };
            !self.certificate_logs.contains(&shown.log) && !self.entries.contains_key(&place)
        };
        page.entries.iter().filter(is_unknown).map(|shown| shown.id.clone()).collect()
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
        if let Some(statement) = attestation.filter(|_| question.needs_statement(&place, &entry)) {
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
fn named(member: Member<'_>) -> Result<(), AskError> {
    if Member::of(&member.to_string()) == Some(member) { Ok(()) } else { Err(not_understood()) }
}

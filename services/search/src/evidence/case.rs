//! A whole case: members, and the manifest that names each of them with its hash.

use super::archive::{self, Members};
use super::documents::{self, Answered, Consistency, Entry};
use super::fault::Fault;
use super::member::Member;
use chancery_verify::hash::sha256;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a manifest calls its format.
const FORMAT: &str = "chancery-evidence";
/// Version of the format. Another one is refused.
const VERSION: u32 = 1;
/// Filters of a question.
const MAX_FILTERS: usize = 64;

/// What a case is about, and what is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    format: String,
    version: u32,
    /// URL of the server that was asked.
    server: String,
    /// Filters of the search, by name.
    question: Vec<(String, String)>,
    /// Every other member.
    members: BTreeMap<String, Sealed>,
}

/// What a member has to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sealed {
    bytes: u64,
    sha256: String,
}

impl Sealed {
    fn of(contents: &[u8]) -> Self {
        Self { bytes: contents.len() as u64, sha256: hex::encode(sha256(contents)) }
    }
}

/// A case whose members are those that its manifest names. Nothing else of it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    manifest: Manifest,
    members: Members,
}

/// A case that is being made.
#[derive(Debug, Clone, Default)]
pub struct Draft(Members);

impl Case {
    /// Makes a case of what a server answered to `question`.
    #[must_use]
    pub fn seal(server: &str, question: Vec<(String, String)>, draft: Draft) -> Self {
        let members = draft.0;
        let sealed = members.iter().map(|(name, contents)| (name.clone(), Sealed::of(contents))).collect();
        let (format, server) = (FORMAT.to_owned(), server.to_owned());
        let manifest = Manifest { format, version: VERSION, server, question, members: sealed };
        Self { manifest, members }
    }

    /// The archive. The same case gives the same bytes.
    ///
    /// # Errors
    /// A member without a known name, or more than an archive may have.
    pub fn to_archive(&self) -> Result<Vec<u8>, Fault> {
        let name = Member::Manifest.to_string();
        let manifest = documents::write(&name, &self.manifest)?;
        let mut members = self.members.clone();
        members.insert(name, manifest);
        archive::pack(&members)
    }

    /// Reads an archive: (1) its form is the only one that it may have, (2) its manifest is of a version that this program
    /// knows, in the only form that it may have, (3) each member is named there, with its size and its hash, (4) each
    /// member that is named is there.
    ///
    /// # Errors
    /// The first fault.
    pub fn open(bytes: &[u8]) -> Result<Self, Fault> {
        // (1)
        let mut members = archive::unpack(bytes)?;
        // (2)
        let name = Member::Manifest.to_string();
        let contents = members.remove(&name).ok_or_else(|| Fault::of(&name, "the archive does not have it"))?;
        let manifest: Manifest = documents::parse(&name, &contents)?;
        if manifest.format != FORMAT || manifest.version != VERSION {
            return Err(Fault::of(&name, format!("it is not of {FORMAT}, version {VERSION}")));
        }
        if manifest.question.len() > MAX_FILTERS {
            return Err(Fault::of(&name, format!("its question has more than {MAX_FILTERS} filters")));
        }
        if documents::write(&name, &manifest)? != contents {
            return Err(Fault::of(&name, "it is not in the form that chancery evidence writes"));
        }
        // (3)
        for (member, contents) in &members {
            match manifest.members.get(member) {
                None => return Err(Fault::of(member, "the manifest does not name it: it was added")),
                Some(sealed) if *sealed != Sealed::of(contents) => {
                    return Err(Fault::of(member, "it is not what the manifest says: it was changed"));
                }
                Some(_) => {}
            }
        }
        // (4)
        match manifest.members.keys().find(|member| !members.contains_key(*member)) {
            Some(missing) => Err(Fault::of(missing, "the manifest names it, and it is not there: it was removed")),
            None => Ok(Self { manifest, members }),
        }
    }

    /// URL of the server that was asked.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.manifest.server
    }

    /// Filters of the search that this case answers.
    #[must_use]
    pub fn question(&self) -> &[(String, String)] {
        &self.manifest.question
    }

    /// Every member but the manifest, with its name.
    pub fn members(&self) -> impl Iterator<Item = (Member<'_>, &str, &[u8])> {
        let members = self.members.iter();
        members.filter_map(|(name, contents)| Some((Member::of(name)?, name.as_str(), contents.as_slice())))
    }

    /// The contents of a member.
    #[must_use]
    pub fn member(&self, member: Member<'_>) -> Option<&[u8]> {
        self.members.get(&member.to_string()).map(Vec::as_slice)
    }
}

impl Draft {
    /// Adds a member. One that is there is replaced.
    pub fn add(&mut self, member: Member<'_>, contents: Vec<u8>) {
        self.0.insert(member.to_string(), contents);
    }

    /// Adds an entry.
    ///
    /// # Errors
    /// It cannot be written as JSON.
    pub fn add_entry(&mut self, log: &str, index: u64, entry: &Entry) -> Result<(), Fault> {
        self.add_document(Member::Entry(log, index), entry)
    }

    /// Adds a question with its answer.
    ///
    /// # Errors
    /// It cannot be written as JSON.
    pub fn add_answer(&mut self, number: u64, answer: &Answered) -> Result<(), Fault> {
        self.add_document(Member::Answer(number), answer)
    }

    /// Adds an older checkpoint.
    ///
    /// # Errors
    /// It cannot be written as JSON.
    pub fn add_consistency(&mut self, log: &str, size: u64, older: &Consistency) -> Result<(), Fault> {
        self.add_document(Member::Consistency(log, size), older)
    }

    fn add_document<T: Serialize>(&mut self, member: Member<'_>, document: &T) -> Result<(), Fault> {
        let contents = documents::write(&member.to_string(), document)?;
        self.add(member, contents);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case() -> Case {
        let mut draft = Draft::default();
        draft.add(Member::TrustedRoot, b"{}".to_vec());
        draft.add(Member::Audit, b"{}\n".to_vec());
        let answer = Answered { question: Vec::new(), entries: Vec::new(), complete_to: Vec::new() };
        draft.add_answer(0, &answer).unwrap();
        Case::seal("https://log.test", vec![("identity".to_owned(), "a@b.test".to_owned())], draft)
    }

    /// The archive of these members and a manifest, without any check.
    fn archive(manifest: &Manifest, members: &Members) -> Vec<u8> {
        Case { manifest: manifest.clone(), members: members.clone() }.to_archive().unwrap()
    }

    #[track_caller]
    fn refused(manifest: &Manifest, members: &Members, expected: &str) {
        let told = Case::open(&archive(manifest, members)).unwrap_err().to_string();
        assert!(told.contains(expected), "{expected}: {told}");
    }

    #[test]
    fn a_case_reads_back_and_always_has_the_same_bytes() {
        let bytes = case().to_archive().unwrap();
        assert_eq!(Case::open(&bytes).unwrap(), case());
        assert_eq!(case().to_archive().unwrap(), bytes);
    }

    #[test]
    fn a_member_that_is_added_removed_or_changed_is_named() {
        let Case { manifest, members } = case();
        for name in members.keys() {
            let mut fewer = members.clone();
            fewer.remove(name);
            refused(&manifest, &fewer, &format!("{name}: the manifest names it, and it is not there"));
            let mut changed = members.clone();
            changed.get_mut(name).unwrap().push(b' ');
            refused(&manifest, &changed, &format!("{name}: it is not what the manifest says"));
            // Renamed: one too many and one too few.
            let mut renamed = fewer.clone();
            renamed.insert("answers/7.json".to_owned(), members[name].clone());
            refused(&manifest, &renamed, "answers/7.json: the manifest does not name it");
        }
        let mut more = members.clone();
        more.insert("answers/1.json".to_owned(), b"{}".to_vec());
        refused(&manifest, &more, "answers/1.json: the manifest does not name it");
        // Contents that change places.
        let (one, other) = ("trust/trusted_root.json", "audit.jsonl");
        let mut swapped = members.clone();
        swapped.insert(one.to_owned(), members[other].clone());
        swapped.insert(other.to_owned(), members[one].clone());
        refused(&manifest, &swapped, "it is not what the manifest says");
    }

    #[test]
    fn a_manifest_of_another_form_is_refused() {
        let Case { manifest, members } = case();
        refused(&Manifest { version: VERSION + 1, ..manifest.clone() }, &members, "it is not of chancery-evidence");
        refused(&Manifest { format: "zip".into(), ..manifest.clone() }, &members, "it is not of chancery-evidence");
        let question = vec![("ref".to_owned(), "1".to_owned()); MAX_FILTERS + 1];
        refused(&Manifest { question, ..manifest.clone() }, &members, "filters");
        for text in ["{}", "not JSON", "[]"] {
            let mut packed = members.clone();
            packed.insert("manifest.json".to_owned(), text.as_bytes().to_vec());
            let told = Case::open(&archive::pack(&packed).unwrap()).unwrap_err().to_string();
            assert!(told.starts_with("manifest.json: it cannot be read"), "{told}");
        }
        // Two members of one name, of which a parser takes the last: only the one form is accepted.
        let text = String::from_utf8(documents::write("manifest.json", &manifest).unwrap()).unwrap();
        for doubled in [text.replacen("{\n", "{\n  \"version\": 1,\n", 1), format!("{text} "), text.replace("  ", " ")]
        {
            let mut packed = members.clone();
            packed.insert("manifest.json".to_owned(), doubled.into_bytes());
            assert!(Case::open(&archive::pack(&packed).unwrap()).unwrap_err().to_string().starts_with("manifest.json"));
        }
        assert!(Case::open(&archive::pack(&members).unwrap()).is_err(), "there is no manifest");
    }
}

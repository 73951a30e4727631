//! Which kinds of entries clients may add. Each has a name, and a name may have several versions.

use chancery_verify::rekor::EntryKind;
use std::str::FromStr;

/// A name that no kind has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is no kind of entry; the known ones are {}", KindName::all().map(KindName::name).collect::<Vec<_>>().join(", "))]
pub struct UnknownKind {
    /// The name, as written.
    pub name: String,
}

/// The name of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KindName(&'static str);

impl KindName {
    /// Every name.
    pub fn all() -> impl Iterator<Item = Self> {
        // Versions of a name follow each other.
        let mut before = "";
        EntryKind::ALL.into_iter().map(EntryKind::name).filter_map(move |name| {
            let is_new = name != before;
            before = name;
            is_new.then_some(Self(name))
        })
    }

    /// The name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.0
    }
}

impl FromStr for KindName {
    type Err = UnknownKind;

    fn from_str(name: &str) -> Result<Self, UnknownKind> {
        Self::all().find(|known| known.0 == name).ok_or_else(|| UnknownKind { name: name.to_owned() })
    }
}

/// The kinds that a log takes. By default all but those whose proposals hold an archive: who sends one has the server unpack
/// it, and clients of Sigstore send none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kinds(Vec<KindName>);

impl Default for Kinds {
    fn default() -> Self {
        let is_archive = |name: &KindName| EntryKind::named(name.0).any(EntryKind::is_archive);
        Self(KindName::all().filter(|name| !is_archive(name)).collect())
    }
}

impl FromIterator<KindName> for Kinds {
    fn from_iter<T: IntoIterator<Item = KindName>>(names: T) -> Self {
        Self(names.into_iter().collect())
    }
}

impl Kinds {
    /// Whether clients may add entries of this kind.
    #[must_use]
    pub fn take(&self, kind: EntryKind) -> bool {
        self.0.contains(&KindName(kind.name()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_rekor_s_and_archives_are_taken_only_where_a_list_says_so() {
        let names: Vec<&str> = KindName::all().map(KindName::name).collect();
        let all =
            ["hashedrekord", "dsse", "intoto", "rekord", "rfc3161", "cose", "helm", "tuf", "jar", "rpm", "alpine"];
        assert_eq!(names, all);
        let usual = Kinds::default();
        let some: Kinds = ["intoto", "jar"].map(|name| name.parse::<KindName>().unwrap()).into_iter().collect();
        for kind in EntryKind::ALL {
            assert_eq!(usual.take(kind), !["jar", "rpm", "alpine"].contains(&kind.name()), "{kind:?}");
            assert_eq!(some.take(kind), ["jar", "intoto"].contains(&kind.name()), "{kind:?}");
        }
        for name in ["", "Jar", "intoto/0.0.2"] {
            let error = name.parse::<KindName>().unwrap_err();
            assert!(error.to_string().contains("hashedrekord, dsse, intoto, rekord"), "{error}");
        }
    }
}

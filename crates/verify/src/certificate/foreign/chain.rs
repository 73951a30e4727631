//! Chains of foreign certificates, as Rekor verifies those of an entry with Go's `crypto/x509`.
//!
//! From the first certificate there must be a path to the last one. The others may be on it, in any order, or not. The path is
//! verified at the first moment of the first certificate, for any use. Other than in Go, name constraints and policies are not
//! evaluated.

use super::Foreign;
use crate::Rejection;
use time::OffsetDateTime;

/// Maximum signature checks of one chain. Usual chains need one for each certificate, and many certificates with one name need
/// more. Go's limit is 100.
const MAX_CHECKS: usize = 40;

impl Foreign {
    /// Checks that the first certificate was issued below the last one. A single certificate needs no issuer.
    ///
    /// # Errors
    /// The reason why the first issuer that was tried does not fit, or [`Rejection::ChainName`] if none has the name.
    pub(crate) fn verify_chain(chain: &[Self]) -> Result<(), Rejection> {
        let [leaf, between @ .., root] = chain else { return Ok(()) };
        let at = leaf.validity.not_before;
        leaf.verify_usable(at)?;
        if leaf.is_same_as(root) {
            return Ok(());
        }
        Search { root, between, at, checks: 0 }.reach_root(&mut vec![leaf])
    }

    /// Checks what holds for every certificate of a path.
    fn verify_usable(&self, at: OffsetDateTime) -> Result<(), Rejection> {
        if self.extensions.has_unknown_critical {
            Err(Rejection::ChainCritical)
        } else if self.validity.contains(at) {
            Ok(())
        } else {
            Err(Rejection::ChainExpired)
        }
    }

    /// Checks that this certificate may have issued others. One of version 3 must say so, an older one cannot.
    fn verify_issuer(&self) -> Result<(), Rejection> {
        let may_issue = self.extensions.constraints.map_or(self.version < 3, |constraints| constraints.is_ca);
        if may_issue && !self.extensions.may_not_certify { Ok(()) } else { Err(Rejection::ChainNotCa) }
    }

    fn is_same_as(&self, other: &Self) -> bool {
        self.signed == other.signed && self.signature == other.signature
    }
}

/// The search for a path to `root`.
struct Search<'a> {
    root: &'a Foreign,
    between: &'a [Foreign],
    at: OffsetDateTime,
    /// Signatures that were checked.
    checks: usize,
}

impl<'a> Search<'a> {
    /// Finds a way from the last certificate of `path` to the root.
    fn reach_root(&mut self, path: &mut Vec<&'a Foreign>) -> Result<(), Rejection> {
        let Some(child) = path.last().copied() else { return Err(Rejection::ChainIncomplete) };
        let mut first = None;
        for candidate in std::iter::once(self.root).chain(self.between) {
            let is_on_path =
                path.iter().any(|known| known.subject == candidate.subject && known.spki == candidate.spki);
            if candidate.subject != child.issuer || is_on_path {
                continue;
            }
            match self.step(path, child, candidate) {
                Ok(()) => return Ok(()),
                Err(rejection) => first = first.or(Some(rejection)),
            }
        }
        Err(first.unwrap_or(Rejection::ChainName))
    }

    /// Goes on over `issuer`, if it has issued `child`.
    fn step(&mut self, path: &mut Vec<&'a Foreign>, child: &Foreign, issuer: &'a Foreign) -> Result<(), Rejection> {
        issuer.verify_issuer()?;
        if self.checks == MAX_CHECKS {
            return Err(Rejection::ChainIncomplete);
        }
        self.checks += 1;
        child.verify_signed_by(issuer)?;
        issuer.verify_usable(self.at)?;
        let constraints = issuer.extensions.constraints;
        let below = u64::try_from(path.len() - 1).unwrap_or(u64::MAX);
        if constraints.and_then(|constraints| constraints.path_length).is_some_and(|limit| below > limit) {
            return Err(Rejection::ChainNotCa);
        }
        if std::ptr::eq(issuer, self.root) {
            return Ok(());
        }
        // Only the root may be too old to say that it is a CA.
        constraints.ok_or(Rejection::ChainNotCa)?;
        path.push(issuer);
        let reached = self.reach_root(path);
        path.pop();
        reached
    }
}

//! Key rings: primary keys, each with its user IDs and subkeys (RFC 4880 §11.1).
//!
//! Which keys and signatures are kept, and how they are written, is what upstream's library does: a key is dropped if a
//! signature of its own in it does not verify; user IDs that it has not signed, user attributes and signatures directly
//! over the key are left out. User IDs keep their order; upstream writes several in any order.
//!
//! A key whose signatures cannot be verified here (DSA, unusual curves, RSA below 2048 bits) is kept, because it is in
//! upstream's form, but neither it nor any of its subkeys verifies anything.

use super::key::PublicKey;
use super::packet::{self, Bytes};
use super::signature::{Signature, kind};
use super::{Fault, Verdict};
use crate::Rejection;
use std::cmp::Ordering;

/// Maximum signatures by its own keys that a key ring may have. Each costs a check.
pub(super) const MAX_CHECKS: usize = 256;
/// Maximum keys with the same id. Each may cost a check.
pub(super) const MAX_KEYS: usize = 4;

/// A key ring with at least one key.
#[derive(Debug, Clone)]
pub(in crate::rekor) struct Keyring(pub(super) Vec<Entity>);

/// A primary key with all that belongs to it.
#[derive(Debug, Clone)]
pub(super) struct Entity {
    primary: PublicKey,
    /// Whether all signatures by it were verified.
    is_verified: bool,
    identities: Vec<Identity>,
    revocations: Vec<Signature>,
    subkeys: Vec<Subkey>,
}

#[derive(Debug, Clone)]
struct Identity {
    id: Vec<u8>,
    /// All signatures over it, by whoever.
    signatures: Vec<Signature>,
    own: Option<Signature>,
    revocations: Vec<Signature>,
}

#[derive(Debug, Clone)]
struct Subkey {
    key: PublicKey,
    is_verified: bool,
    binding: Signature,
    revocations: Vec<Signature>,
}

/// A key, with what it was bound by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bound<'a> {
    entity: &'a Entity,
    /// `None` for the primary key.
    subkey: Option<&'a Subkey>,
}

/// A packet of a key ring, parsed.
enum Item {
    Primary(PublicKey),
    Subkey(PublicKey),
    UserId(Vec<u8>),
    Signature(Box<Signature>),
    /// It is what its tag says, and malformed.
    Broken,
}

/// A primary key is dropped.
struct Dropped;

impl Keyring {
    /// Reads the packets of one key ring.
    ///
    /// # Errors
    /// [`Fault::Malformed`] if they are no packets, [`Fault::Unsupported`] for a secret key.
    pub(super) fn read(&mut self, packets: &[u8], checks: &mut usize) -> Result<(), Fault> {
        let mut reader = Reader { items: items(packets)?.into_iter().peekable(), checks };
        while reader.items.peek().is_some() {
            match reader.entity() {
                Ok(entity) => self.0.push(entity),
                Err(Dropped) => reader.skip(),
            }
        }
        Ok(())
    }

    /// All keys with this id whose binding has them sign data.
    pub(super) fn signing(&self, id: [u8; 8]) -> Vec<Bound<'_>> {
        let mut found = Vec::new();
        for bound in self.keys().filter(|bound| bound.key().id() == id) {
            if bound.binding().is_some_and(Signature::allows_signing) {
                found.push(bound);
            }
        }
        found
    }

    /// All keys.
    pub(super) fn keys(&self) -> impl Iterator<Item = Bound<'_>> {
        self.0.iter().flat_map(|entity| {
            let subkeys = entity.subkeys.iter().map(Some);
            std::iter::once(None).chain(subkeys).map(move |subkey| Bound { entity, subkey })
        })
    }

    /// The packets, in upstream's order.
    pub(super) fn write(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for entity in &self.0 {
            entity.write(&mut out);
        }
        out
    }
}

impl Entity {
    fn write(&self, out: &mut Vec<u8>) {
        packet::write(out, packet::PUBLIC_KEY, &self.primary.body);
        for revocation in &self.revocations {
            revocation.write(out);
        }
        for identity in &self.identities {
            packet::write(out, packet::USER_ID, &identity.id);
            for signature in &identity.signatures {
                signature.write(out);
            }
        }
        for subkey in &self.subkeys {
            packet::write(out, packet::PUBLIC_SUBKEY, &subkey.key.body);
            for revocation in &subkey.revocations {
                revocation.write(out);
            }
            subkey.binding.write(out);
        }
    }

    /// The user ID whose signature binds the primary key: with the fewest revocations, marked as primary, or the newest.
    fn main_identity(&self) -> Option<&Identity> {
        self.identities.iter().reduce(|best, other| {
            let rank = |identity: &Identity| {
                let own = identity.own.as_ref();
                (own.is_some_and(|own| own.stated.is_primary), own.map_or(0, |own| own.created))
            };
            match best.revocations.len().cmp(&other.revocations.len()) {
                Ordering::Greater => other,
                Ordering::Equal if rank(other) > rank(best) => other,
                _ => best,
            }
        })
    }
}

impl<'a> Bound<'a> {
    pub(super) fn key(&self) -> &'a PublicKey {
        self.subkey.map_or(&self.entity.primary, |subkey| &subkey.key)
    }

    /// The signature that binds it.
    fn binding(&self) -> Option<&'a Signature> {
        self.subkey.map_or_else(|| self.primary_binding(), |subkey| Some(&subkey.binding))
    }

    fn primary_binding(&self) -> Option<&'a Signature> {
        self.entity.main_identity()?.own.as_ref()
    }

    /// Whether what binds it was verified, so that it may verify signatures.
    pub(super) fn is_verified(&self) -> bool {
        self.entity.is_verified && self.subkey.is_none_or(|subkey| subkey.is_verified)
    }

    /// Checks that neither the key, nor what binds it, nor the signature was revoked or had expired when the signature was
    /// made, and that no notation must be understood.
    pub(super) fn check_time(&self, signature: &Signature) -> Result<(), Rejection> {
        let now = signature.created;
        let main = self.entity.main_identity();
        let primary = self.primary_binding().ok_or(Rejection::EntrySigner)?;
        let bindings = self.subkey.map(|subkey| &subkey.binding);
        let embedded = bindings.and_then(|binding| binding.stated.embedded.as_deref());
        let signatures = [Some(signature), Some(primary), bindings, embedded];
        let revocations =
            self.entity.revocations.iter().chain(self.subkey.iter().flat_map(|subkey| &subkey.revocations));
        let mut revocations = revocations.chain(main.iter().flat_map(|identity| &identity.revocations));
        let is_expired = primary.says_expired(&self.entity.primary, now)
            || self.subkey.is_some_and(|subkey| subkey.binding.says_expired(&subkey.key, now));
        let is_critical = signatures.iter().flatten().any(|signature| signature.stated.is_critical);
        if is_critical
            || revocations.any(|revocation| revocation.revokes(now))
            || is_expired
            || signatures.iter().flatten().any(|signature| signature.is_expired(now))
        {
            return Err(Rejection::EntryExpired);
        }
        Ok(())
    }
}

/// Splits a key ring into packets. What is unsupported is left out.
fn items(packets: &[u8]) -> Result<Vec<Item>, Fault> {
    let mut rest = Bytes(packets);
    let mut items = Vec::new();
    while let Some(packet) = packet::next(&mut rest)? {
        let item = match packet.tag {
            packet::PUBLIC_KEY => PublicKey::parse(&packet.body).map(Item::Primary),
            packet::PUBLIC_SUBKEY => PublicKey::parse(&packet.body).map(Item::Subkey),
            packet::USER_ID => Ok(Item::UserId(packet.body)),
            // Upstream passes over signatures of version 3 in a key ring.
            packet::SIGNATURE if packet.body.first() == Some(&3) => Err(Fault::Unsupported),
            packet::SIGNATURE => Signature::parse(&packet.body).map(|signature| Item::Signature(Box::new(signature))),
            // Secret keys among them.
            _ => return Err(Fault::Unsupported),
        };
        match item {
            Ok(item) => items.push(item),
            Err(Fault::Unsupported) => {}
            Err(Fault::Malformed) => items.push(Item::Broken),
        }
    }
    Ok(items)
}

struct Reader<'c, I: Iterator<Item = Item>> {
    items: std::iter::Peekable<I>,
    /// Checks that may still be made.
    checks: &'c mut usize,
}

impl<I: Iterator<Item = Item>> Reader<'_, I> {
    /// Skips what belongs to a key that is dropped.
    fn skip(&mut self) {
        while self.items.next_if(|item| !matches!(item, Item::Primary(_))).is_some() {}
    }

    fn entity(&mut self) -> Result<Entity, Dropped> {
        let Some(Item::Primary(primary)) = self.items.next() else { return Err(Dropped) };
        if !primary.can_sign() {
            return Err(Dropped);
        }
        let mut entity =
            Entity { primary, is_verified: true, identities: Vec::new(), revocations: Vec::new(), subkeys: Vec::new() };
        let mut revocations = Vec::new();
        while let Some(item) = self.items.next_if(|item| !matches!(item, Item::Primary(_))) {
            match item {
                Item::UserId(id) => self.user_id(&mut entity, id)?,
                Item::Subkey(key) => self.subkey(&mut entity, key)?,
                Item::Signature(signature) if signature.kind == kind::KEY_REVOCATION => revocations.push(*signature),
                // It follows nothing that it could belong to, or is directly over the key.
                Item::Signature(_) => {}
                Item::Primary(_) | Item::Broken => return Err(Dropped),
            }
        }
        if entity.identities.is_empty() {
            return Err(Dropped);
        }
        for revocation in &revocations {
            let primary = &entity.primary;
            let is_verified = self.check(revocation, primary, &[&primary.header(), &primary.body])?;
            entity.is_verified &= is_verified;
        }
        entity.revocations = revocations;
        Ok(entity)
    }

    /// The next signature, if the next packet is one.
    fn signature(&mut self) -> Option<Signature> {
        match self.items.next_if(|item| matches!(item, Item::Signature(_))) {
            Some(Item::Signature(signature)) => Some(*signature),
            _ => None,
        }
    }

    /// Reads the signatures over a user ID. It is kept if one of them is the primary key's own.
    fn user_id(&mut self, entity: &mut Entity, id: Vec<u8>) -> Result<(), Dropped> {
        let mut identity = Identity { id, signatures: Vec::new(), own: None, revocations: Vec::new() };
        let mut is_own = false;
        while let Some(signature) = self.signature() {
            let is_revocation = signature.kind == kind::CERTIFICATION_REVOCATION;
            if !is_revocation && !kind::CERTIFICATIONS.contains(&signature.kind) {
                return Err(Dropped);
            }
            if signature.is_by(&entity.primary) {
                let (primary, header) = (&entity.primary, entity.primary.header());
                let length = u32::try_from(identity.id.len()).map_err(|_| Dropped)?.to_be_bytes();
                let signed = [&header[..], &primary.body, &[0xb4], &length, &identity.id];
                entity.is_verified &= self.check(&signature, primary, &signed)?;
                is_own = true;
                if is_revocation {
                    identity.revocations.push(signature.clone());
                } else if identity.own.as_ref().is_none_or(|own| signature.created > own.created) {
                    identity.own = Some(signature.clone());
                }
            }
            identity.signatures.push(signature);
        }
        if is_own {
            // The last one of several that are the same.
            entity.identities.retain(|other| other.id != identity.id);
            entity.identities.push(identity);
        }
        Ok(())
    }

    /// Reads the signatures that bind a subkey. One that signs has signed the primary key in turn.
    fn subkey(&mut self, entity: &mut Entity, key: PublicKey) -> Result<(), Dropped> {
        let (mut binding, mut revocations, mut is_verified) = (None::<Signature>, Vec::new(), true);
        while let Some(signature) = self.signature() {
            if ![kind::SUBKEY_BINDING, kind::SUBKEY_REVOCATION].contains(&signature.kind) {
                return Err(Dropped);
            }
            let (primary, headers) = (&entity.primary, [entity.primary.header(), key.header()]);
            let signed = [&headers[0][..], &primary.body, &headers[1], &key.body];
            entity.is_verified &= self.check(&signature, primary, &signed)?;
            if signature.allows_signing() {
                let embedded = signature.stated.embedded.as_deref().ok_or(Dropped)?;
                is_verified &= self.check(embedded, &key, &signed)?;
            }
            if signature.kind == kind::SUBKEY_REVOCATION {
                revocations.push(signature);
            } else if binding.as_ref().is_none_or(|binding| signature.created > binding.created) {
                binding = Some(signature);
            }
        }
        let binding = binding.ok_or(Dropped)?;
        entity.subkeys.push(Subkey { key, is_verified, binding, revocations });
        Ok(())
    }

    /// Checks a signature in the key ring. Returns whether it could be checked.
    fn check(&mut self, signature: &Signature, key: &PublicKey, signed: &[&[u8]]) -> Result<bool, Dropped> {
        *self.checks = self.checks.checked_sub(1).ok_or(Dropped)?;
        match signature.verify(key, signed) {
            Verdict::Valid => Ok(true),
            Verdict::Unverifiable => Ok(false),
            Verdict::Invalid => Err(Dropped),
        }
    }
}

//! Names, as Go's `crypto/x509` reads them: any type of string that it knows, with the characters of that type.

use crate::Rejection;
use crate::certificate::tbs;
use der::asn1::AnyRef;
use der::{Decode as _, Tag, Tagged as _};

/// Checks a `Name` in DER.
pub(super) fn verify(name: &[u8]) -> Result<(), Rejection> {
    let fault = "a name in it has a form, a type or characters that are not supported";
    if is_name(name).is_ok_and(|is_name| is_name) { Ok(()) } else { Err(Rejection::CertificateForm { fault }) }
}

/// Returns whether every attribute has a value of a known type. The attributes of a set may be in any order.
fn is_name(name: &[u8]) -> der::Result<bool> {
    for set in tbs::contents(name, Tag::Sequence).and_then(tbs::parts)? {
        for attribute in tbs::contents(set, Tag::Set).and_then(tbs::parts)? {
            let attribute = tbs::contents(attribute, Tag::Sequence).and_then(tbs::parts)?;
            let [kind, value, ..] = attribute[..] else { return Ok(false) };
            tbs::contents(kind, Tag::ObjectIdentifier)?;
            let value = AnyRef::from_der(value)?;
            if !is_string(value.tag(), value.value()) {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

fn is_string(tag: Tag, value: &[u8]) -> bool {
    match tag {
        // Read as Latin-1.
        Tag::TeletexString => true,
        Tag::Utf8String => str::from_utf8(value).is_ok(),
        Tag::PrintableString => value.iter().all(|byte| is_printable(*byte)),
        Tag::Ia5String => value.is_ascii(),
        Tag::NumericString => value.iter().all(|byte| matches!(byte, b'0'..=b'9' | b' ')),
        Tag::BmpString => is_ucs2(value),
        _ => false,
    }
}

/// With `*` and `&`, which no `PrintableString` may have and some do.
fn is_printable(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b" '()*+,-./:=?&".contains(&byte)
}

/// Characters of two bytes, none of which is a surrogate or is reserved for ever.
fn is_ucs2(value: &[u8]) -> bool {
    let (characters, rest) = value.as_chunks::<2>();
    let is_character = |character| !matches!(character, 0xd800..=0xdfff | 0xfdd0..=0xfdef | 0xfffe | 0xffff);
    rest.is_empty() && characters.iter().all(|bytes| is_character(u16::from_be_bytes(*bytes)))
}

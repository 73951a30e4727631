//! Extensions of a request and of a timestamp (RFC 5280 §4.1).

use super::asn1::{Element, Malformed, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, identifier};

/// A list of extensions. Its tag is implicit, so the contents are those of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extensions<'a> {
    pub(super) contents: &'a [u8],
    pub(super) has_critical: bool,
}

impl<'a> Extensions<'a> {
    pub(super) fn read(list: Element<'a>) -> Result<Self, Malformed> {
        let mut fields = list.fields();
        let mut has_critical = false;
        while !fields.is_finished() {
            let mut extension = fields.take(SEQUENCE)?.fields();
            identifier(extension.take(OBJECT_IDENTIFIER)?.contents)?;
            has_critical |= extension.flag()?;
            extension.take(OCTET_STRING)?;
            extension.end()?;
        }
        Ok(Self { contents: list.contents, has_critical })
    }
}

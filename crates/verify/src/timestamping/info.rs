//! `TSTInfo`: the content that an authority signs.

use super::asn1::{Element, Fields, GENERALIZED_TIME, INTEGER, Malformed, SEQUENCE, constructed, integer, number};
use super::extensions::Extensions;
use super::imprint::{Imprint, Unchecked};
use crate::{Rejection, Timestamp};
use time::{Date, Month, PrimitiveDateTime, Time};

/// `[0]`, primitive: an implicit INTEGER.
const MILLIS: u8 = 0x80;
/// `[1]`, primitive: an implicit INTEGER.
const MICROS: u8 = 0x81;
/// Maximum digits of a fraction of a second, finer than any accuracy that a token can state.
const MAX_FRACTION_DIGITS: usize = 9;

/// The contents of a timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Info<'a> {
    /// Contents of the policy's identifier.
    pub policy: &'a [u8],
    /// Hash of the data that existed at that time.
    pub imprint: Imprint<'a>,
    /// Contents of the serial number, an INTEGER that is unique for this authority.
    pub serial: &'a [u8],
    /// Time of the timestamp, rounded down to milliseconds.
    pub time: Timestamp,
    /// Accuracy of the time in microseconds. 0 if it is not stated.
    pub accuracy_micros: u64,
    /// Whether the times of two timestamps of this authority always show their order.
    pub ordering: bool,
    /// Contents of the client's nonce, an INTEGER.
    pub nonce: Option<&'a [u8]>,
    /// The authority's name, a `GeneralName` in DER.
    pub authority: Option<&'a [u8]>,
    /// Extensions in DER, one after the other. None is critical.
    pub extensions: Option<&'a [u8]>,
}

impl<'a> Info<'a> {
    /// Reads a `TSTInfo`.
    pub(super) fn from_der(der: &'a [u8]) -> Result<Self, Rejection> {
        read(der).map_err(|Malformed| Rejection::TimestampMalformed)?
    }
}

fn read(der: &[u8]) -> Result<Result<Info<'_>, Rejection>, Malformed> {
    let mut outer = Fields::of(der);
    let mut fields = outer.take(SEQUENCE)?.fields();
    outer.end()?;
    if fields.number()? != 1 {
        return Err(Malformed);
    }
    let policy = fields.identifier()?;
    let imprint = Unchecked::read(fields.take(SEQUENCE)?)?;
    let serial = fields.integer()?;
    let time = time(fields.take(GENERALIZED_TIME)?.contents)?;
    let accuracy_micros = fields.optional(SEQUENCE)?.map_or(Ok(0), accuracy_micros)?;
    let ordering = fields.flag()?;
    let nonce = fields.optional(INTEGER)?.map(|nonce| integer(nonce.contents)).transpose()?;
    let authority = fields.optional(constructed(0))?.map(|name| name.contents);
    let list = fields.optional(constructed(1))?.map(Extensions::read).transpose()?;
    fields.end()?;
    if list.is_some_and(|list| list.has_critical) {
        return Ok(Err(Rejection::TimestampExtension));
    }
    let extensions = list.map(|list| list.contents);
    let info =
        |imprint| Info { policy, imprint, serial, time, accuracy_micros, ordering, nonce, authority, extensions };
    Ok(imprint.check().map(info))
}

/// Parses RFC 3161 §2.4.2: `YYYYMMDDhhmmss[.s…]Z`, the fraction without trailing zeros.
fn time(text: &[u8]) -> Result<Timestamp, Malformed> {
    let (date, rest) = text.split_at_checked(14).ok_or(Malformed)?;
    let digits = str::from_utf8(date).ok().filter(|date| date.bytes().all(|digit| digit.is_ascii_digit()));
    let digits = digits.ok_or(Malformed)?;
    let part = |range| digits.get(range).and_then(|part: &str| part.parse::<u8>().ok()).ok_or(Malformed);
    let year = digits.get(..4).and_then(|year| year.parse::<i32>().ok()).ok_or(Malformed)?;
    let month = Month::try_from(part(4..6)?).map_err(|_| Malformed)?;
    let date = Date::from_calendar_date(year, month, part(6..8)?).map_err(|_| Malformed)?;
    let time = Time::from_hms(part(8..10)?, part(10..12)?, part(12..14)?).map_err(|_| Malformed)?;
    let seconds = PrimitiveDateTime::new(date, time).assume_utc().unix_timestamp();
    let seconds = u64::try_from(seconds).map_err(|_| Malformed)?;
    let millis = match rest {
        b"Z" => 0,
        [b'.', fraction @ .., b'Z'] => fraction_millis(fraction)?,
        _ => return Err(Malformed),
    };
    Ok(Timestamp::from_millis(seconds * 1000 + millis))
}

fn fraction_millis(digits: &[u8]) -> Result<u64, Malformed> {
    let fits = (1..=MAX_FRACTION_DIGITS).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
    if !fits || digits.last() == Some(&b'0') {
        return Err(Malformed);
    }
    let millis = digits.iter().copied().chain(std::iter::repeat(b'0')).take(3);
    Ok(millis.fold(0, |millis, digit| millis * 10 + u64::from(digit - b'0')))
}

fn accuracy_micros(element: Element<'_>) -> Result<u64, Malformed> {
    let mut fields = element.fields();
    let below_a_thousand = |element: Option<Element<'_>>| match element {
        None => Ok(0),
        Some(element) => {
            number(element.contents).and_then(|part| if (1..1000).contains(&part) { Ok(part) } else { Err(Malformed) })
        }
    };
    let seconds = fields.optional(INTEGER)?.map_or(Ok(0), |seconds| number(seconds.contents))?;
    let millis = below_a_thousand(fields.optional(MILLIS)?)?;
    let micros = below_a_thousand(fields.optional(MICROS)?)?;
    fields.end()?;
    Ok(seconds.saturating_mul(1_000_000).saturating_add(millis * 1000 + micros))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_to_the_millisecond() {
        let at = |millis| Ok(Timestamp::from_millis(millis));
        for (text, expected) in [
            ("19700101000000Z", at(0)),
            ("20261121070000Z", at(1_795_244_400_000)),
            ("20261121070000.5Z", at(1_795_244_400_500)),
            ("20261121070000.1239Z", at(1_795_244_400_123)),
            ("20261121070000.50Z", Err(Malformed)),
            ("20261121070000.Z", Err(Malformed)),
            ("20261121070000", Err(Malformed)),
            ("20261121070000+0000", Err(Malformed)),
            ("202611210700Z", Err(Malformed)),
            ("20261321070000Z", Err(Malformed)),
            ("20261131070000Z", Err(Malformed)),
            ("20261121240000Z", Err(Malformed)),
            ("+0261121070000Z", Err(Malformed)),
            ("19691231235959Z", Err(Malformed)),
            ("", Err(Malformed)),
        ] {
            assert_eq!(time(text.as_bytes()), expected, "{text}");
        }
    }
}

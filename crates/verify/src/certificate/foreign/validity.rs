//! Validity periods, as Go's `crypto/x509` reads them: years before 1970, times without seconds or with an offset from UTC.

use super::parts;
use crate::Rejection;
use der::asn1::AnyRef;
use der::{Decode as _, Tag, Tagged as _};
use time::{Date, Month, OffsetDateTime, PrimitiveDateTime, Time, UtcOffset};

/// First and last moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Validity {
    pub(super) not_before: OffsetDateTime,
    not_after: OffsetDateTime,
}

impl Validity {
    /// Parses a `Validity`.
    pub(super) fn parse(field: &[u8]) -> Result<Self, Rejection> {
        let [start, end, ..] = parts(field, Tag::Sequence)?[..] else { return Err(Rejection::CertificateMalformed) };
        let fault = Rejection::CertificateForm { fault: "a time in its validity is not one" };
        let moment = |encoding| moment(encoding).ok_or(fault);
        Ok(Self { not_before: moment(start)?, not_after: moment(end)? })
    }

    /// Both ends are inclusive. A period may end before it begins.
    pub(super) fn contains(&self, moment: OffsetDateTime) -> bool {
        (self.not_before..=self.not_after).contains(&moment)
    }
}

/// Parses a `UTCTime` (`YYMMDDhhmm[ss]`) or `GeneralizedTime` (`YYYYMMDDhhmmss`), each with `Z`, `+hhmm` or `-hhmm`.
fn moment(encoding: &[u8]) -> Option<OffsetDateTime> {
    let encoding = AnyRef::from_der(encoding).ok()?;
    let text = str::from_utf8(encoding.value()).ok()?;
    let (text, offset) = divide_offset(text)?;
    let (year, rest) = match (encoding.tag(), text.len()) {
        (Tag::UtcTime, 10 | 12) => {
            let (year, rest) = text.split_at_checked(2)?;
            let year = i32::from(number(year)?);
            (if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }
        (Tag::GeneralizedTime, 14) => {
            let (century, rest) = text.split_at_checked(2)?;
            let (year, rest) = rest.split_at_checked(2)?;
            (100 * i32::from(number(century)?) + i32::from(number(year)?), rest)
        }
        _ => return None,
    };
    let numbers: Vec<u8> =
        rest.as_bytes().chunks(2).map(|two| number(str::from_utf8(two).ok()?)).collect::<Option<_>>()?;
    let [month, day, hour, minute, ref seconds @ ..] = numbers[..] else { return None };
    let date = Date::from_calendar_date(year, Month::try_from(month).ok()?, day).ok()?;
    let time = Time::from_hms(hour, minute, seconds.first().copied().unwrap_or(0)).ok()?;
    Some(PrimitiveDateTime::new(date, time).assume_offset(offset))
}

/// Splits a time from its offset. An offset of zero is `Z`.
fn divide_offset(text: &str) -> Option<(&str, UtcOffset)> {
    if let Some(text) = text.strip_suffix('Z') {
        return Some((text, UtcOffset::UTC));
    }
    let (text, offset) = text.split_at_checked(text.len().checked_sub(5)?)?;
    let (sign, offset) = offset.split_at_checked(1)?;
    let (hours, minutes) = offset.split_at_checked(2)?;
    let (hours, minutes) = (i8::try_from(number(hours)?).ok()?, i8::try_from(number(minutes)?).ok()?);
    let offset = match sign {
        "+" => UtcOffset::from_hms(hours, minutes, 0),
        "-" => UtcOffset::from_hms(-hours, -minutes, 0),
        _ => return None,
    };
    offset.ok().filter(|offset| !offset.is_utc()).map(|offset| (text, offset))
}

/// A number of two digits.
fn number(digits: &str) -> Option<u8> {
    if digits.bytes().all(|byte| byte.is_ascii_digit()) { digits.parse().ok() } else { None }
}

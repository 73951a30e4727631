//! Which of the offered media types a request accepts, by go-openapi's rules: the highest quality wins, then the most
//! specific range, then the order of the offers. Parameters of media types are ignored.

use axum::http::{HeaderMap, header};
use std::cmp::Ordering;

/// The media type of the answer. `None` if the request accepts none of those that are offered.
pub(super) fn accepted(headers: &HeaderMap, offers: &'static [&'static str]) -> Option<&'static str> {
    if !headers.contains_key(header::ACCEPT) {
        return offers.first().copied();
    }
    let values = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let ranges: Vec<Range<'_>> = values.flat_map(|value| value.split(',')).filter_map(Range::parse).collect();
    let mut best: Option<(Rank, &'static str)> = None;
    for &offer in offers {
        for rank in ranges.iter().filter_map(|range| range.rank(offer)) {
            if best.is_none_or(|(known, _)| rank.compare(known) == Ordering::Greater) {
                best = Some((rank, offer));
            }
        }
    }
    best.map(|(_, offer)| offer)
}

/// How well a range fits an offer.
#[derive(Clone, Copy)]
struct Rank {
    quality: f64,
    /// Parts of the media type that are not wildcards.
    specificity: u8,
}

impl Rank {
    fn compare(self, other: Self) -> Ordering {
        self.quality.total_cmp(&other.quality).then(self.specificity.cmp(&other.specificity))
    }
}

/// One range of media types.
struct Range<'a> {
    kind: &'a str,
    subtype: &'a str,
    quality: f64,
}

impl<'a> Range<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let (kind, subtype) = parts.next()?.split_once('/')?;
        let quality = parts.find_map(|parameter| parameter.strip_prefix("q=").or_else(|| parameter.strip_prefix("Q=")));
        let quality = quality.map_or(Some(1.0), |quality| quality.parse::<f64>().ok())?;
        Some(Self { kind, subtype, quality: quality.clamp(0.0, 1.0) })
    }

    /// How well it fits an offer, if it does. A quality of zero excludes.
    fn rank(&self, offer: &str) -> Option<Rank> {
        let (kind, subtype) = offer.split_once('/')?;
        let fits = |range: &str, offered: &str| range == "*" || range.eq_ignore_ascii_case(offered);
        let specificity = u8::from(self.kind != "*") + u8::from(self.subtype != "*");
        let fits = fits(self.kind, kind) && fits(self.subtype, subtype) && self.quality > 0.0;
        fits.then_some(Rank { quality: self.quality, specificity })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    const JSON: &str = "application/json";
    const PEM: &str = "application/x-pem-file";

    fn of(accept: &[&'static str], offers: &'static [&'static str]) -> Option<&'static str> {
        let mut headers = HeaderMap::new();
        for value in accept {
            headers.append(header::ACCEPT, HeaderValue::from_static(value));
        }
        accepted(&headers, offers)
    }

    #[test]
    fn the_best_offer_is_taken() {
        for (accept, expected) in [
            (&[][..], PEM),
            (&["*/*"], PEM),
            (&["application/*"], PEM),
            (&["application/json"], JSON),
            (&["Application/JSON; charset=utf-8"], JSON),
            (&["application/json, text/plain, */*"], JSON),
            (&["application/json;q=0.5, */*"], PEM),
            (&["application/json;q=0.5, */*;q=0.1"], JSON),
            (&["application/json, application/x-pem-file"], PEM),
            (&["text/html", "application/json"], JSON),
            (&["application/json;q=0, application/x-pem-file;q=0.1"], PEM),
        ] {
            assert_eq!(of(accept, &[PEM, JSON]), Some(expected), "{accept:?}");
        }
    }

    #[test]
    fn nothing_is_taken_that_is_not_accepted() {
        for accept in ["text/html", "application/xml", "", "json", "*/*;q=0", "application/json;q=nonsense", ",;,q=1"] {
            assert_eq!(of(&[accept], &[JSON]), None, "{accept}");
        }
    }
}

//! The form of an answer: `format=`, or what the request accepts.

use crate::query::Unusable;
use crate::query::parameters::Parameters;
use axum::http::{HeaderMap, header};

/// A form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// A page.
    Json,
    /// Everything, one JSON object a line.
    Ndjson,
    /// Everything, as a table.
    Csv,
}

impl Form {
    /// Every form.
    pub(super) const ALL: [Self; 3] = [Self::Json, Self::Ndjson, Self::Csv];

    /// Its name in `format=`.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Ndjson => "ndjson",
            Self::Csv => "csv",
        }
    }

    /// Its media type, without parameters.
    pub(super) const fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Ndjson => "application/x-ndjson",
            Self::Csv => "text/csv",
        }
    }

    /// The form that a request asks for: by parameter, else by the first known media type that it accepts, else JSON.
    pub(super) fn read(parameters: &mut Parameters, headers: &HeaderMap) -> Result<Self, Unusable> {
        if let Some(name) = parameters.one("format")? {
            let known = Self::ALL.into_iter().find(|form| form.name() == name);
            return known.ok_or_else(|| Unusable::new("format", "write json, ndjson or csv"));
        }
        let accepted = headers.get_all(header::ACCEPT).into_iter().filter_map(|value| value.to_str().ok());
        let media_types = accepted.flat_map(|value| value.split(','));
        let mut forms = media_types.filter_map(|part| {
            let media_type = part.split(';').next().unwrap_or_default().trim();
            Self::ALL.into_iter().find(|form| form.media_type().eq_ignore_ascii_case(media_type))
        });
        Ok(forms.next().unwrap_or(Self::Json))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_named_or_accepted() {
        let read = |query: &str, accept: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            headers.extend(accept.map(|accept| (header::ACCEPT, accept.parse().unwrap())));
            Form::read(&mut Parameters::parse(query).unwrap(), &headers)
        };
        assert_eq!(read("", None), Ok(Form::Json));
        assert_eq!(read("", Some("*/*")), Ok(Form::Json));
        assert_eq!(read("", Some("text/html, Text/CSV;q=0.5")), Ok(Form::Csv));
        assert_eq!(read("", Some("application/x-ndjson")), Ok(Form::Ndjson));
        assert_eq!(read("format=json", Some("text/csv")), Ok(Form::Json));
        assert!(read("format=xml", None).is_err());
    }
}

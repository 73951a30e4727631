//! Credentials for AWS from a file, as Amazon's own programs write it, for everything here that speaks to AWS.

use object_store::aws::AmazonS3Builder;

/// Why a file with credentials cannot be used. Names the line, never what is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
    /// A line of another form.
    #[error("line {0} is not `name = value`")]
    Line(usize),
    /// A line about something else.
    #[error("line {0} is neither an access key, its secret nor a session token")]
    Name(usize),
    /// Half of a pair.
    #[error("aws_access_key_id and aws_secret_access_key are both needed")]
    Incomplete,
}

/// Gives `builder` the credentials in `text`, which has no profile but `[default]`.
pub fn with_credentials(mut builder: AmazonS3Builder, text: &str) -> Result<AmazonS3Builder, CredentialsError> {
    let (mut id, mut secret) = (false, false);
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') || line == "[default]" {
            continue;
        }
        let (name, value) = line.split_once('=').ok_or(CredentialsError::Line(number))?;
        let value = value.trim();
        match name.trim() {
            "aws_access_key_id" => (builder, id) = (builder.with_access_key_id(value), true),
            "aws_secret_access_key" => (builder, secret) = (builder.with_secret_access_key(value), true),
            "aws_session_token" => builder = builder.with_token(value),
            _ => return Err(CredentialsError::Name(number)),
        }
    }
    if id && secret { Ok(builder) } else { Err(CredentialsError::Incomplete) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_complete_or_refused_without_being_shown() {
        let read = |text| with_credentials(AmazonS3Builder::new(), text).map(|_| ());
        assert!(read("[default]\naws_access_key_id = a\n\n# x\naws_secret_access_key=b/c+d==\n").is_ok());
        for text in ["", "aws_access_key_id = a", "aws_secret_access_key = sesame", "sesame", "sesame = x\n[other]"] {
            let error = read(text).unwrap_err().to_string();
            assert!(!error.contains("sesame"), "{error}");
        }
    }
}

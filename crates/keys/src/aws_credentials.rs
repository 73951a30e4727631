//! Reads AWS credentials from a file in the format of Amazon's own programs, for all code that calls AWS.

use object_store::aws::AmazonS3Builder;

/// Why a credentials file cannot be used. The error names the line, never its contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
    /// A line is not `name = value`.
    #[error("line {0} is not `name = value`")]
    Line(usize),
    /// A line sets another name.
    #[error("line {0} is neither an access key, its secret nor a session token")]
    Name(usize),
    /// Only one of the two is there.
    #[error("aws_access_key_id and aws_secret_access_key are both needed")]
    Incomplete,
}

/// Gives `builder` the credentials in `text`. The only profile it may have is `[default]`.
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

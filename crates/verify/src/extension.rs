//! The table of certificate extensions: Fulcio's claims and the two of certificate transparency.
//!
//! All code that writes or reads them takes object identifiers and encodings from here. The claims are those of
//! Fulcio's `docs/oid-info.md` (arc 1.3.6.1.4.1.57264.1), in the order of certificates. The meaning of a claim for an
//! identity provider is not decided here.

use crate::Rejection;
use const_oid::ObjectIdentifier;
use der::Decode as _;
#[cfg(feature = "issue")]
use der::Encode as _;
use der::asn1::Utf8StringRef;

/// Marks a precertificate; always critical, contents NULL (RFC 6962 §3.1).
pub const POISON: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.11129.2.4.3");
/// Contains the `SignedCertificateTimestampList` (RFC 6962 §3.3).
pub const SCT_LIST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.11129.2.4.2");
/// Type of the `otherName` for a username in the subject alternative name. Not an extension.
pub const OTHER_NAME_USERNAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.1.7");
/// The contents of [`POISON`]: DER NULL.
pub const POISON_VALUE: [u8; 2] = [0x05, 0x00];

/// Encoding of a claim's text in `extnValue`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Only the bytes of the text, not DER. The oldest claims have this encoding.
    Raw,
    /// A DER `UTF8String`.
    Utf8String,
}

macro_rules! claims {
    ($( $(#[$doc:meta])* $variant:ident = $arc:literal, $encoding:ident, $name:literal; )*) => {
        /// A claim about the signer in a certificate. In the order of certificates.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Claim {
            $(
                $(#[$doc])*
                #[doc = concat!("1.3.6.1.4.1.57264.1.", $arc, ".")]
                $variant,
            )*
        }

        impl Claim {
            /// Every claim, in the order of certificates.
            pub const ALL: &[Self] = &[$( Self::$variant, )*];

            /// The object identifier of the extension.
            #[must_use]
            pub const fn oid(self) -> ObjectIdentifier {
                match self {
                    $( Self::$variant => const { ObjectIdentifier::new_unwrap(concat!("1.3.6.1.4.1.57264.1.", $arc)) }, )*
                }
            }

            /// The encoding of the value.
            #[must_use]
            pub const fn encoding(self) -> Encoding {
                match self { $( Self::$variant => Encoding::$encoding, )* }
            }

            /// The claim's name in configuration and reports.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $( Self::$variant => $name, )* }
            }
        }
    };
}

claims! {
    /// The issuer in Fulcio's first encoding. Still written, because old clients read it.
    IssuerV1 = "1", Raw, "issuer-v1";
    /// Event that triggered the workflow.
    GithubWorkflowTrigger = "2", Raw, "github-workflow-trigger";
    /// Commit the workflow ran on.
    GithubWorkflowSha = "3", Raw, "github-workflow-sha";
    /// Name of the workflow.
    GithubWorkflowName = "4", Raw, "github-workflow-name";
    /// Repository of the workflow.
    GithubWorkflowRepository = "5", Raw, "github-workflow-repository";
    /// Git reference of the workflow.
    GithubWorkflowRef = "6", Raw, "github-workflow-ref";
    /// The OIDC issuer of the signer's token.
    Issuer = "8", Utf8String, "issuer";
    /// Reference, with a version, to the build instructions of the signer.
    BuildSignerUri = "9", Utf8String, "build-signer-uri";
    /// Digest of the build instructions.
    BuildSignerDigest = "10", Utf8String, "build-signer-digest";
    /// Runner of the build: hosted by the platform or by the user.
    RunnerEnvironment = "11", Utf8String, "runner-environment";
    /// Repository the build is based on.
    SourceRepositoryUri = "12", Utf8String, "source-repository-uri";
    /// Commit the build is based on.
    SourceRepositoryDigest = "13", Utf8String, "source-repository-digest";
    /// Git reference the build is based on.
    SourceRepositoryRef = "14", Utf8String, "source-repository-ref";
    /// Permanent identifier of the repository. It survives renames.
    SourceRepositoryIdentifier = "15", Utf8String, "source-repository-identifier";
    /// Owner of the repository.
    SourceRepositoryOwnerUri = "16", Utf8String, "source-repository-owner-uri";
    /// Permanent identifier of the owner. It survives renames.
    SourceRepositoryOwnerIdentifier = "17", Utf8String, "source-repository-owner-identifier";
    /// The top-level build instructions.
    BuildConfigUri = "18", Utf8String, "build-config-uri";
    /// Digest of the top-level build instructions.
    BuildConfigDigest = "19", Utf8String, "build-config-digest";
    /// Event that triggered the build.
    BuildTrigger = "20", Utf8String, "build-trigger";
    /// The run that made the artifact.
    RunInvocationUri = "21", Utf8String, "run-invocation-uri";
    /// Whether the repository was public when the artifact was signed.
    SourceRepositoryVisibilityAtSigning = "22", Utf8String, "source-repository-visibility-at-signing";
    /// The environment the build deploys to.
    DeploymentEnvironment = "23", Utf8String, "deployment-environment";
    /// The `sub` claim of the token, unchanged.
    TokenSubject = "24", Utf8String, "token-subject";
}

impl Claim {
    /// The contents of `extnValue` for this claim.
    ///
    /// # Errors
    /// [`Rejection::Profile`] for an empty value, because readers cannot distinguish it from a missing one.
    #[cfg(feature = "issue")]
    pub fn encode(self, value: &str) -> Result<Vec<u8>, Rejection> {
        let unfit = Rejection::Profile { field: self.name() };
        if value.is_empty() {
            return Err(unfit);
        }
        match self.encoding() {
            Encoding::Raw => Ok(value.as_bytes().to_vec()),
            Encoding::Utf8String => Utf8StringRef::new(value).and_then(|value| value.to_der()).map_err(|_| unfit),
        }
    }

    /// Decodes the contents of `extnValue`.
    ///
    /// # Errors
    /// [`Rejection::Profile`] if they are not in this claim's encoding.
    pub fn decode(self, contents: &[u8]) -> Result<String, Rejection> {
        let text = match self.encoding() {
            Encoding::Raw => std::str::from_utf8(contents).ok(),
            Encoding::Utf8String => Utf8StringRef::from_der(contents).ok().map(|text| text.as_str()),
        };
        text.map(str::to_owned).ok_or(Rejection::Profile { field: self.name() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raw_and_der_claims_differ_only_in_the_wrapping() {
        assert_eq!(Claim::IssuerV1.encode("https://a").unwrap(), b"https://a");
        assert_eq!(Claim::Issuer.encode("https://a").unwrap(), b"\x0c\x09https://a");
        for claim in Claim::ALL {
            let contents = claim.encode("grüße").unwrap();
            assert_eq!(claim.decode(&contents).unwrap(), "grüße", "{}", claim.name());
            assert!(claim.encode("").is_err());
        }
    }

    #[test]
    fn a_der_claim_refuses_what_is_not_der() {
        for bad in [&b"https://a"[..], b"\x0c\x0ahttps://a", b"\x0c\x09https://a\x00", b"\x16\x09https://a", b""] {
            assert_eq!(Claim::Issuer.decode(bad), Err(Rejection::Profile { field: "issuer" }), "{bad:?}");
        }
        assert!(Claim::IssuerV1.decode(b"\xff").is_err());
    }

    #[test]
    fn the_table_is_in_the_order_of_its_arcs_without_gap_but_seven() {
        let arcs: Vec<u32> = Claim::ALL.iter().map(|claim| claim.oid().arcs().last().unwrap()).collect();
        assert_eq!(arcs, (1..=24).filter(|arc| *arc != 7).collect::<Vec<_>>());
    }
}

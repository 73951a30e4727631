//! The kinds of terms: one table with number, name, form and an example of each.
//!
//! Numbers are the first byte of stored terms, so they never change and are never used again. The numbers decide in
//! which order kinds are sorted, and nothing else. The table in [`super`] is a copy for readers, and a test compares
//! them.

use crate::extension::Claim;

/// How the value of a term is written as text, and how text is normalised to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Text, kept as it is.
    Text,
    /// Text without letter case: every character in lower case, as upstream's index has its keys.
    Folded,
    /// Bytes, written in hexadecimal.
    Hex,
    /// `algorithm:` in lower case, and the bytes of the digest. Written in hexadecimal. A digest that is not
    /// hexadecimal is kept as [`Self::Folded`] text after `algorithm=`.
    Digest,
}

macro_rules! kinds {
    ($( $(#[doc = $doc:literal])* $variant:ident = $number:literal, $form:ident, $name:literal, $example:literal; )*) => {
        /// The kind of a term.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        #[repr(u8)]
        pub enum TermKind {
            $(
                $(#[doc = $doc])*
                #[doc = ""]
                #[doc = concat!("Named `", $name, "`, e.g. `", $example, "`.")]
                $variant = $number,
            )*
        }

        impl TermKind {
            /// Every kind, in order of its number.
            pub const ALL: &'static [Self] = &[$( Self::$variant, )*];

            /// The number: the first byte of every term of this kind.
            #[must_use]
            pub const fn number(self) -> u8 {
                match self { $( Self::$variant => $number, )* }
            }

            /// Inverse of [`Self::number`].
            #[must_use]
            pub const fn from_number(number: u8) -> Option<Self> {
                match number { $( $number => Some(Self::$variant), )* _ => None }
            }

            /// The name in queries and reports.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $( Self::$variant => $name, )* }
            }

            /// Inverse of [`Self::name`].
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|kind| kind.name() == name)
            }

            /// The form of the value.
            #[must_use]
            pub const fn form(self) -> Form {
                match self { $( Self::$variant => Form::$form, )* }
            }

            /// A value, as text.
            #[must_use]
            pub const fn example(self) -> &'static str {
                match self { $( Self::$variant => $example, )* }
            }
        }
    };
}

kinds! {
    /// Leaf hash of the entry. In Rekor v1 it is the entry's UUID.
    LeafHash = 0x01, Hex, "leaf", "78470eff2921878c2141726b650bf349099c37850a731f287a6accf35d40441f";
    /// The entry's kind, and the same with its version. `certificate` and `precertificate` in a certificate
    /// transparency log.
    EntryKind = 0x02, Folded, "kind", "hashedrekord/0.0.1";
    /// A digest of what the entry is about: the signed or timestamped artifact, or a subject of the in-toto statement.
    ArtifactDigest = 0x10, Digest, "artifact", "sha256:632579b5183d418ff3dc443994fd35e0e1a2a6ce89a1ee22fdca577f8e8bc9c3";
    /// A digest of the evidence itself: payload or envelope of an attestation, or a timestamp.
    AttestationDigest = 0x11, Digest, "attestation", "sha256:15692616e9c435907c41411466e493f195a39ca68c973a4f5390df3d301398bd";
    /// A digest of an input of the build: a material, or resolved dependency, of SLSA provenance.
    MaterialDigest = 0x12, Digest, "material", "gitcommit:0bf8ca0f2d3dbcc9fb14e9ea3b27b0d0b6d0f8a7";
    /// Type of the in-toto predicate.
    PredicateType = 0x13, Text, "predicate-type", "https://slsa.dev/provenance/v1";
    /// SHA-256 of the signer's certificate. Of a precertificate as submitted, not of the certificate issued for it.
    CertificateFingerprint = 0x20, Hex, "certificate", "1d2d5c5a4f06a9c1c9f3b8f2bd6a01a5e1ac8aa8c2c4c3c3f9a8e7a1b0c9d8e7";
    /// Serial number of the certificate, without leading zeros.
    CertificateSerial = 0x21, Hex, "serial", "4a101a4dd4d6c0a9a3f2f1c8bd01f4e6d6ad0a5b";
    /// SHA-256 of the key's `SubjectPublicKeyInfo`.
    KeyFingerprint = 0x22, Hex, "key", "c0d23d6ad406973f9559f3ba2d1ca01f84147d8ffc5b8445c224f98b9591801d";
    /// The key of upstream's index: SHA-256 of the canonical text of the key or certificate chain. Also of the other
    /// texts that upstream indexes by their hash alone: the signature of a `jar`, root and metadata of a `tuf`.
    RekorKey = 0x23, Hex, "rekor-key", "5608b4de7a5ca1c9c9f3b8f2bd6a01a5e1ac8aa8c2c4c3c3f9a8e7a1b0c9d8e7";
    /// Id of a key that is not X.509: fingerprint and long id of a PGP key or subkey, `SHA256:…` of an SSH key, id of a
    /// minisign key or of a TUF key.
    KeyId = 0x24, Folded, "key-id", "d0e5a4c1f2b39687";
    /// E-mail address that the holder of a PGP or SSH key has written into it. Nobody has checked it.
    KeyEmail = 0x25, Folded, "key-email", "alice@example.com";
    /// SHA-256 of the `SubjectPublicKeyInfo` of the authority that issues a precertificate.
    IssuerKey = 0x26, Hex, "issuer-key", "e5aa7b2f1f8a1a3f0c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f70819203";
    /// Role and version of a `tuf` entry's metadata.
    TufMetadata = 0x27, Folded, "tuf", "timestamp";
    /// Subject alternative name of the certificate: e-mail address, URI, username, host or IP address.
    Identity = 0x30, Folded, "identity", "alice@dev.example.com";
    /// Kind of a subject alternative name: `email`, `uri`, `username`, `dns` or `ip`.
    IdentityKind = 0x31, Text, "identity-kind", "email";
    /// Host in a subject alternative name, and every domain above it except the last label alone.
    Domain = 0x32, Folded, "domain", "example.com";
    /// OIDC issuer of the identity.
    Issuer = 0x40, Text, "issuer", "https://token.actions.githubusercontent.com";
    /// Source repository: its URL, and its path where the certificate has that.
    Repository = 0x41, Folded, "repository", "https://github.com/acme/app";
    /// Permanent identifier of the source repository.
    RepositoryId = 0x42, Text, "repository-id", "632596897";
    /// Owner of the source repository.
    RepositoryOwner = 0x43, Folded, "repository-owner", "https://github.com/acme";
    /// Permanent identifier of the owner.
    RepositoryOwnerId = 0x44, Text, "repository-owner-id", "131804563";
    /// Git reference of the source.
    Ref = 0x45, Text, "ref", "refs/tags/v1.2.3";
    /// Commit of the source.
    Commit = 0x46, Folded, "commit", "0bf8ca0f2d3dbcc9fb14e9ea3b27b0d0b6d0f8a7";
    /// Name of the workflow.
    WorkflowName = 0x47, Text, "workflow", "Release";
    /// The top-level build instructions, with their version.
    WorkflowRef = 0x48, Text, "workflow-ref", "https://github.com/acme/app/.github/workflows/release.yml@refs/tags/v1.2.3";
    /// Commit of the top-level build instructions.
    WorkflowCommit = 0x49, Folded, "workflow-commit", "0bf8ca0f2d3dbcc9fb14e9ea3b27b0d0b6d0f8a7";
    /// The signer's build instructions, with their version. They differ from the top-level ones in a reusable workflow.
    BuildSigner = 0x4a, Text, "build-signer", "https://github.com/acme/workflows/.github/workflows/sign.yml@refs/heads/main";
    /// Commit of the signer's build instructions.
    BuildSignerCommit = 0x4b, Folded, "build-signer-commit", "9f3b8f2bd6a01a5e1ac8aa8c2c4c3c3f9a8e7a1b";
    /// Event that triggered the build.
    Trigger = 0x4c, Text, "trigger", "push";
    /// The run of the build.
    RunUrl = 0x4d, Text, "run-url", "https://github.com/acme/app/actions/runs/4735384265/attempts/1";
    /// Environment the build deploys to.
    Environment = 0x4e, Text, "environment", "production";
    /// Whether the platform or the user hosts the runner.
    Runner = 0x4f, Text, "runner", "github-hosted";
    /// Whether the repository was public when the artifact was signed.
    Visibility = 0x50, Text, "visibility", "private";
    /// `sub` claim of the token.
    TokenSubject = 0x51, Text, "token-subject", "repo:acme/app:ref:refs/heads/main";
}

impl TermKind {
    /// The kinds whose values are digests.
    pub const DIGESTS: [Self; 3] = [Self::ArtifactDigest, Self::AttestationDigest, Self::MaterialDigest];

    /// The kind of a claim's term. The old and the new form of a claim have the same kind.
    #[must_use]
    pub const fn of_claim(claim: Claim) -> Self {
        match claim {
            Claim::IssuerV1 | Claim::Issuer => Self::Issuer,
            Claim::GithubWorkflowTrigger | Claim::BuildTrigger => Self::Trigger,
            Claim::GithubWorkflowSha | Claim::SourceRepositoryDigest => Self::Commit,
            Claim::GithubWorkflowName => Self::WorkflowName,
            Claim::GithubWorkflowRepository | Claim::SourceRepositoryUri => Self::Repository,
            Claim::GithubWorkflowRef | Claim::SourceRepositoryRef => Self::Ref,
            Claim::BuildSignerUri => Self::BuildSigner,
            Claim::BuildSignerDigest => Self::BuildSignerCommit,
            Claim::RunnerEnvironment => Self::Runner,
            Claim::SourceRepositoryIdentifier => Self::RepositoryId,
            Claim::SourceRepositoryOwnerUri => Self::RepositoryOwner,
            Claim::SourceRepositoryOwnerIdentifier => Self::RepositoryOwnerId,
            Claim::BuildConfigUri => Self::WorkflowRef,
            Claim::BuildConfigDigest => Self::WorkflowCommit,
            Claim::RunInvocationUri => Self::RunUrl,
            Claim::SourceRepositoryVisibilityAtSigning => Self::Visibility,
            Claim::DeploymentEnvironment => Self::Environment,
            Claim::TokenSubject => Self::TokenSubject,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_are_unique_and_read_back() {
        assert!(TermKind::ALL.is_sorted_by_key(|kind| kind.number()));
        assert!(TermKind::ALL.is_sorted(), "kinds sort as their numbers do");
        for kind in TermKind::ALL {
            assert_eq!(TermKind::from_number(kind.number()), Some(*kind));
            assert_eq!(TermKind::from_name(kind.name()), Some(*kind), "{}", kind.name());
        }
        let known = (0..=u8::MAX).filter(|number| TermKind::from_number(*number).is_some()).count();
        assert_eq!(known, TermKind::ALL.len());
        assert_eq!(TermKind::from_name("LEAF"), None);
        for kind in TermKind::DIGESTS {
            assert_eq!(kind.form(), Form::Digest);
        }
    }

    #[test]
    fn the_table_for_readers_is_this_one() {
        let written = include_str!("../terms.rs");
        let row = |kind: &TermKind| {
            let (number, form) = (kind.number(), format!("{:?}", kind.form()).to_lowercase());
            format!("//! | {number:#04x} | `{}` | {form} | `{}` |\n", kind.name(), kind.example())
        };
        let table: String = TermKind::ALL.iter().map(row).collect();
        assert!(written.contains(&table), "the table should be:\n{table}");
    }
}

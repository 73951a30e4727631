//! The requests in protobuf's JSON form. Names are those of rekor-tiles' protobuf files, rules those of
//! [`crate::protojson`].

use super::{CreateEntry, DsseRequest, Envelope, HashedRekordRequest, KeyDetails, Signature, Verifier, VerifierKey};
use crate::protojson::{self, Malformed, Message, Value};
use serde::de::MapAccess;

/// Parses a `CreateEntryRequest`. `None` if it has no entry.
pub fn parse(json: &[u8]) -> Result<Option<CreateEntry>, Malformed> {
    protojson::from_slice::<CreateEntryRequest>(json).map(|request| request.0)
}

#[derive(Default)]
struct CreateEntryRequest(Option<CreateEntry>);

impl Message for CreateEntryRequest {
    const FIELDS: &'static [(&'static str, &'static str)] =
        &[("hashedRekordRequestV002", "hashed_rekord_request_v002"), ("dsseRequestV002", "dsse_request_v002")];

    fn read<'de, A: MapAccess<'de>>(&mut self, position: usize, value: Value<'_, A>) -> Result<(), A::Error> {
        const ONEOF: &str = "dev.sigstore.rekor.v2.CreateEntryRequest.spec";
        let given = self.0.is_some();
        let read = match position {
            0 => value.one_of(ONEOF, given)?.map(CreateEntry::HashedRekord),
            _ => value.one_of(ONEOF, given)?.map(CreateEntry::Dsse),
        };
        self.0 = self.0.take().or(read);
        Ok(())
    }
}

impl Message for HashedRekordRequest {
    const FIELDS: &'static [(&'static str, &'static str)] = &[("digest", "digest"), ("signature", "signature")];

    fn read<'de, A: MapAccess<'de>>(&mut self, position: usize, value: Value<'_, A>) -> Result<(), A::Error> {
        match position {
            0 => self.digest = value.bytes()?,
            _ => self.signature = value.message()?,
        }
        Ok(())
    }
}

impl Message for Signature {
    const FIELDS: &'static [(&'static str, &'static str)] = &[("content", "content"), ("verifier", "verifier")];

    fn read<'de, A: MapAccess<'de>>(&mut self, position: usize, value: Value<'_, A>) -> Result<(), A::Error> {
        match position {
            0 => self.content = value.bytes()?,
            _ => self.verifier = value.message()?,
        }
        Ok(())
    }
}

impl Message for Verifier {
    const FIELDS: &'static [(&'static str, &'static str)] =
        &[("publicKey", "public_key"), ("x509Certificate", "x509_certificate"), ("keyDetails", "key_details")];

    fn read<'de, A: MapAccess<'de>>(&mut self, position: usize, value: Value<'_, A>) -> Result<(), A::Error> {
        const ONEOF: &str = "dev.sigstore.rekor.v2.Verifier.verifier";
        let given = self.key.is_some();
        let key = match position {
            0 => value.one_of(ONEOF, given)?.map(|RawBytes(der)| VerifierKey::PublicKey(der)),
            1 => value.one_of(ONEOF, given)?.map(|RawBytes(der)| VerifierKey::Certificate(der)),
            _ => {
                self.key_details = value.enumeration(KeyDetails::number_of)?;
                None
            }
        };
        self.key = self.key.take().or(key);
        Ok(())
    }
}

/// `PublicKey`, `X509Certificate`
#[derive(Default)]
struct RawBytes(Vec<u8>);

impl Message for RawBytes {
    const FIELDS: &'static [(&'static str, &'static str)] = &[("rawBytes", "raw_bytes")];

    fn read<'de, A: MapAccess<'de>>(&mut self, _: usize, value: Value<'_, A>) -> Result<(), A::Error> {
        self.0 = value.bytes()?;
        Ok(())
    }
}

impl Message for DsseRequest {
    const FIELDS: &'static [(&'static str, &'static str)] = &[("envelope", "envelope"), ("verifiers", "verifiers")];

    fn read<'de, A: MapAccess<'de>>(&mut self, position: usize, value: Value<'_, A>) -> Result<(), A::Error> {
        match position {
            0 => self.envelope = value.message()?,
            _ => self.verifiers = value.messages()?,
        }
        Ok(())
    }
}

impl Message for Envelope {
    const FIELDS: &'static [(&'static str, &'static str)] =
        &[("payload", "payload"), ("payloadType", "payload_type"), ("signatures", "signatures")];

    fn read<'de, A: MapAccess<'de>>(&mut self, position: usize, value: Value<'_, A>) -> Result<(), A::Error> {
        match position {
            0 => self.payload = value.bytes()?,
            1 => self.payload_type = value.string()?,
            _ => self.signatures = value.messages()?.into_iter().map(|EnvelopeSignature(sig)| sig).collect(),
        }
        Ok(())
    }
}

/// `io.intoto.Signature`
#[derive(Default)]
struct EnvelopeSignature(Vec<u8>);

impl Message for EnvelopeSignature {
    const FIELDS: &'static [(&'static str, &'static str)] = &[("sig", "sig"), ("keyid", "keyid")];

    fn read<'de, A: MapAccess<'de>>(&mut self, position: usize, value: Value<'_, A>) -> Result<(), A::Error> {
        match position {
            0 => self.0 = value.bytes()?,
            _ => drop(value.string()?),
        }
        Ok(())
    }
}

//! One instance of the program: its data directory, its roles, and how they hang together in a process.
//!
//! `chancery dev` and `chancery serve` are two ways to set one up. [`composition`] says which parts there are; each part
//! has its file. Things are kept in [`crate::data_directory`].

mod access;
mod addresses;
mod agreement;
mod assembly;
mod authority;
mod certificate_log;
mod clock;
mod composition;
mod console;
mod ct_shards;
mod description;
mod events;
mod keys;
mod log_keys;
mod log_metrics;
mod logs;
mod monitor;
mod operations;
mod readiness;
mod rekor2_shards;
mod rekor_shards;
mod rekor_v1;
mod rekor_v2;
mod running;
mod search;
mod served;
mod setup;
mod shards;
mod status;
mod tiles;
mod time_servers;
mod timestamps;
mod token_readers;
mod transparency;
mod trust;
mod tuf;
mod upkeep;
mod witnesses;

pub(crate) use access::AccessSettings;
pub(crate) use addresses::Addresses;
pub(crate) use authority::{AuthorityArguments, Settings as AuthoritySettings, development_issuer, key_uri};
pub(crate) use clock::GuardedClock;
pub(crate) use composition::{Choices, Instance};
pub(crate) use description::Answering;
pub(crate) use events::{EventArguments, EventSettings, LOGS as EVENT_LOGS, Webhook};
pub(crate) use keys::{KnownKey, keys, kind_name, known_keys, root_files, warn_of_roots};
pub(crate) use operations::OperationsArguments;
pub(crate) use readiness::certificates as certificates_finding;
pub(crate) use rekor_v1::RekorV1Arguments;
pub(crate) use rekor_v2::{CheckpointKey, RekorV2Arguments, RekorVersion};
pub(crate) use search::{
    SearchArguments, kind as search_kind, source_entry, state_of as search_state, store as search_store,
};
pub(crate) use setup::{ConsoleSettings, Setup, SignIn};
pub(crate) use shards::{mark_file, marks, tree_id};
pub(crate) use status::{
    CertificateStatus, CheckResult, CheckStatus, InstanceStatus, KeyStatus, LogStatus, ServerStatus, Source, Stored,
    TufRoleStatus, stored_status, tuf_roles,
};
#[cfg(feature = "s3")]
pub(crate) use tiles::BucketArguments;
pub(crate) use tiles::{Place as TilesPlace, TilesArguments};
pub(crate) use timestamps::TimestampArguments;
pub(crate) use transparency::{Settings as TransparencySettings, TransparencyArguments};
pub(crate) use trust::services;
pub(crate) use tuf::{TufArguments, key_files, key_uris, lifetime, publisher, repository, trust_url, use_key};
pub(crate) use witnesses::{WitnessArguments, WitnessChoices, WitnessesTable};

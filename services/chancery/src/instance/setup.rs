//! The settings of an instance, as `chancery dev` or `chancery serve` makes them. Every part reads them; which parts there are,
//! and how they hang together, is in [`super::composition`].

use super::Addresses;
use crate::{data_directory::DataDirectory, role::Role};
use chancery_log::store::Location;
use chancery_trust::BaseUrl;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

/// Where people sign in whom a client has no token of.
pub(crate) enum SignIn {
    /// Here: a development server gives tokens itself.
    Here,
    /// At this issuer.
    At(BaseUrl),
    /// Clients are told of no issuer.
    Nowhere,
}

/// What an instance is.
pub(crate) struct Setup<'a> {
    pub(crate) data: &'a DataDirectory,
    pub(crate) addresses: &'a Addresses,
    /// In the certificates that are made where `data` is new.
    pub(crate) organization: &'a str,
    /// Of this process.
    pub(crate) roles: &'a BTreeSet<Role>,
    pub(crate) issuer: SignIn,
    pub(crate) database: &'a Location,
    /// What to run where a log is quarantined.
    pub(crate) check_command: String,
    /// Certificates that another authority has issued for the first keys of roles, in PEM, where `data` is new.
    pub(crate) chains: BTreeMap<Role, Vec<u8>>,
    /// File of the server's own certificates, if it has TLS.
    pub(crate) tls: Option<&'a Path>,
    /// `None` where there is no console.
    pub(crate) console: Option<ConsoleSettings>,
}

/// The operator's settings of the console.
pub(crate) struct ConsoleSettings {
    /// Whether every client may sign as any identity.
    pub(crate) is_development: bool,
    /// Titles and commands, for a development server.
    pub(crate) first_steps: Vec<(&'static str, String)>,
    /// A URI.
    pub(crate) security_contact: Option<String>,
}

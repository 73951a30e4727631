//! Which instance a command works on: `--data`, `--config` and `--database`, the same for every verb.
//!
//! Nothing is opened here but the configuration file.

use crate::{configuration::Configuration, database_url};
use anyhow::bail;
use chancery_log::store::Location;
use clap::Args;
use std::path::{Path, PathBuf};

/// Data directory of a development server.
const DEFAULT: &str = "./chancery-dev";

/// An instance, by its data directory or by the configuration file of its servers.
#[derive(Debug, Args)]
pub(super) struct InstanceArguments {
    /// Data directory of the instance, ./chancery-dev by default; a server may be running on it
    #[arg(long, value_name = "DIR", global = true)]
    data: Option<PathBuf>,
    /// Configuration file of the server, instead of --data: it names the data directory and the database
    #[arg(long, value_name = "FILE", conflicts_with = "data", global = true)]
    config: Option<PathBuf>,
}

/// As [`InstanceArguments`], for commands that work on its logs.
#[derive(Debug, Args)]
pub(super) struct LogsArguments {
    #[command(flatten)]
    instance: InstanceArguments,
    /// Use the logs in this `PostgreSQL` database: the database of the server; to change a log, connect as its owner
    #[arg(long, value_name = "URL", value_parser = database_url::parse)]
    database: Option<String>,
}

/// The same options, for a verb that works on the logs itself and has verbs below it that do not.
#[derive(Debug, Args)]
pub(super) struct OneInstance {
    /// Data directory of the instance, ./chancery-dev by default; a server may be running on it
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Configuration file of the server, instead of --data: it names the data directory and the database
    #[arg(long, value_name = "FILE", conflicts_with = "data")]
    config: Option<PathBuf>,
    /// Use the logs in this `PostgreSQL` database: the database of the server
    #[arg(long, value_name = "URL", value_parser = database_url::parse)]
    database: Option<String>,
}

/// Where an instance keeps its state.
#[derive(Debug)]
pub(super) struct Place {
    /// The data directory.
    pub(super) data: PathBuf,
    /// The database of the logs, if it is not a file in the data directory.
    pub(super) database: Option<String>,
}

impl InstanceArguments {
    /// Reads the configuration file, if one is named.
    pub(super) fn place(&self) -> anyhow::Result<Place> {
        Ok(self.place_in(self.configuration()?.as_ref()))
    }

    /// The place that a configuration names, or these options without one.
    fn place_in(&self, configuration: Option<&Configuration>) -> Place {
        match configuration {
            Some(Configuration { data, database, .. }) => {
                Place { data: data.clone(), database: database.as_ref().map(|database| database.url.clone()) }
            }
            None => Place { data: self.data.clone().unwrap_or_else(|| DEFAULT.into()), database: None },
        }
    }

    /// The configuration, if a file is named.
    fn configuration(&self) -> anyhow::Result<Option<Configuration>> {
        self.only_file()?.map(Configuration::load).transpose()
    }

    /// The configuration file, if one is named.
    pub(super) fn only_file(&self) -> anyhow::Result<Option<&Path>> {
        // clap compares only options on the same side of a verb.
        if let (Some(data), Some(file)) = (&self.data, &self.config) {
            bail!(
                "--data {} and --config {} may name two instances; give one of these options",
                data.display(),
                file.display()
            );
        }
        Ok(self.config.as_deref())
    }

    /// The data directory.
    pub(super) fn data(&self) -> anyhow::Result<PathBuf> {
        Ok(self.place()?.data)
    }

    /// The file of the audit log.
    fn audit(&self) -> anyhow::Result<PathBuf> {
        let configuration = self.configuration()?;
        let usual = self.place_in(configuration.as_ref()).data.join("audit.jsonl");
        Ok(configuration.and_then(|configuration| configuration.ca.audit).unwrap_or(usual))
    }
}

impl OneInstance {
    /// What is asked of an instance.
    pub(super) fn logs(&self) -> LogsArguments {
        let Self { data, config, database } = self;
        let instance = InstanceArguments { data: data.clone(), config: config.clone() };
        LogsArguments { instance, database: database.clone() }
    }
}

impl LogsArguments {
    /// The file of the audit log.
    pub(super) fn audit(&self) -> anyhow::Result<PathBuf> {
        self.instance.audit()
    }

    /// Reads the configuration file, if one is named. `--database` wins: it may name another user.
    pub(super) fn place(&self) -> anyhow::Result<Place> {
        Ok(self.read()?.0)
    }

    /// The same, with the configuration, if a file is named.
    pub(super) fn read(&self) -> anyhow::Result<(Place, Option<Configuration>)> {
        let configuration = self.instance.configuration()?;
        let Place { data, database } = self.instance.place_in(configuration.as_ref());
        Ok((Place { data, database: self.database.clone().or(database) }, configuration))
    }
}

impl Place {
    /// The database of the logs.
    pub(super) fn database(&self) -> Location {
        database(&self.data, self.database.as_deref())
    }

    /// The database of the logs, which must be there.
    pub(super) fn existing_database(&self) -> anyhow::Result<Location> {
        if self.database.is_none() && !database_file(&self.data).exists() {
            bail!(
                "there is no log in {}; name the database of the server with --database, or its configuration with --config",
                self.data.display()
            );
        }
        Ok(self.database())
    }
}

/// The database of the logs of an instance: the one at this URL, or else a file in the data directory.
pub(super) fn database(data: &Path, url: Option<&str>) -> Location {
    url.map_or_else(|| Location::File(database_file(data)), |url| Location::Server(url.to_owned()))
}

/// The database of the logs in a data directory, where it is a file.
pub(super) fn database_file(data: &Path) -> PathBuf {
    data.join("chancery.db")
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use std::fs;

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        logs: LogsArguments,
    }

    fn place(arguments: &[&str]) -> Result<Place, String> {
        let command =
            Command::try_parse_from([&["chancery"], arguments].concat()).map_err(|error| error.to_string())?;
        command.logs.place().map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn a_configuration_file_stands_for_directory_and_database() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("chancery.toml");
        let text = "url = \"https://sign.example.org\"\norganization = \"Example\"\ndata = \"state\"\n\
                    database = { url = \"postgres://chancery@db.example.org/chancery\" }\n\
                    [listen]\naddress = \"127.0.0.1:8080\"\n[ca]\nissuers = \"issuers.toml\"\n";
        fs::write(&file, text).unwrap();
        let config = file.to_str().unwrap();
        let found = place(&["--config", config]).unwrap();
        assert_eq!(found.data, directory.path().join("state"));
        assert_eq!(found.database(), Location::Server("postgres://chancery@db.example.org/chancery".to_owned()));
        let owner = "postgres://owner@db.example.org/chancery";
        let found = place(&["--config", config, "--database", owner]).unwrap();
        assert_eq!(found.database.as_deref(), Some(owner));
        assert!(place(&["--config", config, "--data", "other"]).unwrap_err().contains("cannot be used with"));
        assert!(place(&["--config", "missing.toml"]).unwrap_err().contains("cannot use missing.toml"));
    }

    #[derive(Debug, Parser)]
    struct Stepped {
        #[command(flatten)]
        instance: InstanceArguments,
        #[command(subcommand)]
        _step: Step,
    }

    #[derive(Debug, clap::Subcommand)]
    enum Step {
        Stage,
    }

    #[test]
    fn one_instance_is_named_also_on_two_sides_of_a_verb() {
        let place = |line: &[&str]| {
            let command = Stepped::try_parse_from([&["chancery"], line].concat()).unwrap();
            command.instance.place().map_err(|error| error.to_string())
        };
        for line in [["--data", "a", "stage", "--config", "b"], ["--config", "b", "stage", "--data", "a"]] {
            let refused = place(&line).unwrap_err();
            assert!(refused.contains("--data a and --config b"), "{refused}");
        }
        for line in [["stage", "--data", "a"], ["--data", "a", "stage"]] {
            assert_eq!(place(&line).unwrap().data, Path::new("a"));
        }
    }

    #[test]
    fn a_data_directory_has_its_logs_in_a_file() {
        let found = place(&[]).unwrap();
        assert_eq!((&*found.data, found.database.as_deref()), (Path::new("./chancery-dev"), None));
        let directory = tempfile::tempdir().unwrap();
        let found = place(&["--data", directory.path().to_str().unwrap()]).unwrap();
        assert!(found.existing_database().unwrap_err().to_string().contains("there is no log in"));
        fs::write(directory.path().join("chancery.db"), "").unwrap();
        assert_eq!(found.existing_database().unwrap(), Location::File(directory.path().join("chancery.db")));
    }
}

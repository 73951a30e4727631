//! The log of a server on standard error, its level and its form: `--log`, `--log-format` and `[telemetry]`.

use chancery_daemon::telemetry::{self, Format};
use clap::Args;
use schemars::JsonSchema;
use serde::Deserialize;

/// The options of every server about its log.
#[derive(Debug, Args)]
pub(crate) struct LogArguments {
    /// Log on standard error at this level, or as a list of `module=level`
    #[arg(long, value_name = "FILTER", default_value = "info")]
    log: String,
    /// Log as lines of text, or as one JSON object per line; text by default
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<LogFormat>,
    /// Send a span for each request and each batch to this OpenTelemetry collector, e.g. <http://127.0.0.1:4318/v1/traces>
    #[cfg(feature = "otlp")]
    #[arg(long, value_name = "URL")]
    otlp: Option<url::Url>,
}

impl LogArguments {
    /// Starts the log. The options win over the configuration file.
    pub(crate) fn start(&self, configured: &TelemetryTable) -> anyhow::Result<()> {
        #[cfg(feature = "otlp")]
        let configured = &TelemetryTable { otlp: self.otlp.clone().or_else(|| configured.otlp.clone()), ..*configured };
        configured.start(&self.log, self.log_format)
    }
}

/// The form of the lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// Lines of text
    #[default]
    Text,
    /// One JSON object per line
    Json,
}

/// The log of the process.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TelemetryTable {
    /// Form of the log on standard error: `text`, or `json` for one JSON object per line. Default: `text`.
    log_format: Option<LogFormat>,
    /// URL of an OpenTelemetry collector that takes spans over HTTP (OTLP). Default: none.
    #[cfg(feature = "otlp")]
    #[schemars(with = "Option<String>")]
    otlp: Option<url::Url>,
}

impl TelemetryTable {
    /// Starts the log at the level `filter`. The format `chosen` wins over the one of the table.
    #[cfg_attr(not(feature = "otlp"), allow(clippy::unnecessary_wraps, reason = "only a collector can be refused"))]
    pub(crate) fn start(&self, filter: &str, chosen: Option<LogFormat>) -> anyhow::Result<()> {
        let format = self.format(chosen);
        #[cfg(feature = "otlp")]
        if let Some(collector) = &self.otlp {
            return Ok(telemetry::init_with_export(filter, format, collector.as_str())?);
        }
        telemetry::init(filter, format);
        Ok(())
    }

    fn format(&self, chosen: Option<LogFormat>) -> Format {
        match chosen.or(self.log_format).unwrap_or_default() {
            LogFormat::Text => Format::Text,
            LogFormat::Json => Format::Json,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_wins_over_the_file_and_text_is_the_default() {
        let table = |text: &str| toml::from_str::<TelemetryTable>(text).unwrap();
        let (empty, json) = (table(""), table("log_format = \"json\""));
        assert_eq!((empty.format(None), empty.format(Some(LogFormat::Json))), (Format::Text, Format::Json));
        assert_eq!((json.format(None), json.format(Some(LogFormat::Text))), (Format::Json, Format::Text));
        assert!(toml::from_str::<TelemetryTable>("log_format = \"yaml\"").is_err());
    }
}

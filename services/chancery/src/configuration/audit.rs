//! `[ca] audit_rotate_…`: the limits after which the audit log begins a new file.

use super::CaTable;
use crate::duration;
use anyhow::{Context as _, ensure};
use chancery_ca::audit::Rotation;
use std::time::Duration;

/// With a smaller limit, almost every request would begin a new file.
const MIN_BYTES: u64 = 64 * 1024;
const MIN_AGE: Duration = Duration::from_mins(1);

impl CaTable {
    /// The limits after which the audit log begins a new file. By default there are none.
    pub(crate) fn audit_rotation(&self) -> anyhow::Result<Rotation> {
        let size_bytes = self.audit_rotate_bytes;
        ensure!(
            size_bytes.is_none_or(|size| size.get() >= MIN_BYTES),
            "[ca] audit_rotate_bytes is less than {MIN_BYTES}; set at least that, or remove it"
        );
        let age = self.audit_rotate_age.as_ref().map(|text| duration::parse(text));
        let age = age.transpose().map_err(anyhow::Error::msg).context("[ca] audit_rotate_age")?;
        ensure!(
            age.is_none_or(|age| age >= MIN_AGE),
            "[ca] audit_rotate_age is less than a minute; set at least 1m, or remove it"
        );
        Ok(Rotation { size_bytes, age })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(settings: &str) -> Result<Rotation, String> {
        let table: CaTable = toml::from_str(&format!("issuers = \"i\"\n{settings}")).unwrap();
        table.audit_rotation().map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn rotation_is_off_unless_a_sensible_limit_is_set() {
        assert_eq!(read("").unwrap(), Rotation::default());
        let both = read("audit_rotate_bytes = 104857600\naudit_rotate_age = \"7d\"").unwrap();
        assert_eq!(both.size_bytes.unwrap().get(), 100 << 20);
        assert_eq!(both.age, Some(Duration::from_hours(7 * 24)));
        for (bad, why) in [
            ("audit_rotate_bytes = 65535", "audit_rotate_bytes"),
            ("audit_rotate_age = \"59s\"", "at least 1m"),
            ("audit_rotate_age = \"daily\"", "[ca] audit_rotate_age"),
        ] {
            assert!(read(bad).unwrap_err().contains(why), "{bad}");
        }
    }
}

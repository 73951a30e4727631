//! The variables that say where credentials for registries are, and nothing else of the environment.

use chancery_registry::Locations;
use std::{env, path::PathBuf};

/// Where Docker and Podman keep credentials for this user.
pub(super) fn credentials() -> Locations {
    let path = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let text = env::var_os("DOCKER_AUTH_CONFIG").and_then(|value| value.into_string().ok());
    Locations {
        docker_auth_config: text.filter(|text| !text.is_empty()),
        docker_config: path("DOCKER_CONFIG"),
        registry_auth_file: path("REGISTRY_AUTH_FILE"),
        runtime_directory: path("XDG_RUNTIME_DIR"),
        configuration_directory: path("XDG_CONFIG_HOME"),
        home: path("HOME"),
    }
}

/// Where programs of this user keep what they can fetch again.
pub(super) fn cache() -> Option<PathBuf> {
    let path = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    path("XDG_CACHE_HOME").or_else(|| path("HOME").map(|home| home.join(".cache")))
}

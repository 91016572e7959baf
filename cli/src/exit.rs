//! From an error to the exit code: 1 failed while running, 78 bad configuration (CONTRACT, section 1).

use common::config::ConfigError;
use common::log::file::OpenError;
use common::store::StoreError;
use ingest::receiver::BadSource;

use crate::output::StdoutClosed;

/// Bad configuration, as in `sysexits.h`.
const CONFIGURATION: u8 = 78;

/// The exit code of a command that ended with `error`.
pub fn code(error: &anyhow::Error) -> u8 {
    if error.is::<StdoutClosed>() {
        return 0;
    }
    if is_configuration(error) { CONFIGURATION } else { 1 }
}

/// Whether another configuration would mend it.
fn is_configuration(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.is::<ConfigError>()
            || cause.is::<BadSource>()
            || matches!(
                cause.downcast_ref(),
                Some(StoreError::Manifest { .. } | StoreError::Unsafe { .. })
            )
            || matches!(
                cause.downcast_ref(),
                Some(OpenError::Partitions { .. } | OpenError::PartitionCount { .. })
            )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_configuration_from_failure() {
        let check = |error: anyhow::Error, expected: u8| assert_eq!(code(&error), expected);
        check(anyhow::anyhow!("broken"), 1);
        check(StdoutClosed.into(), 0);
        check(anyhow::Error::new(ConfigError::NoSource).context("cannot start"), 78);
        check(OpenError::PartitionCount { partitions: 0 }.into(), 78);
        let manifest = StoreError::Manifest {
            place: "state".into(),
            key: "shops",
            stored: "a".into(),
            wanted: "b".into(),
        };
        check(manifest.into(), 78);
    }
}

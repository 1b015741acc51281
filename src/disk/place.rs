//! Where a path leads: to a file of this machine, or into a bucket.

use std::path::Path;

use crate::model::{Error, Result};

/// What stands in front of a place that is no path of this machine, and whose storage it is.
const SCHEMES: [&str; 3] = ["s3", "gs", "az"];

/// The scheme of a place in object storage, such as `s3`; `None` for a path of this machine.
#[must_use]
pub fn scheme_of(path: &Path) -> Option<&'static str> {
    let text = path.as_os_str().as_encoded_bytes();
    SCHEMES.into_iter().find(|scheme| text.strip_prefix(scheme.as_bytes()).is_some_and(|rest| rest.starts_with(b"://")))
}

/// An error for a place in object storage, where only a path of this machine will do.
pub fn only_here(path: &Path, doing: &str) -> Result<()> {
    if scheme_of(path).is_none() {
        return Ok(());
    }
    Err(Error::Input { what: format!("{}: {doing} works on this machine only, not in object storage", path.display()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_begins_with_a_scheme_is_a_place_elsewhere() {
        let scheme = |text: &str| scheme_of(Path::new(text));
        assert_eq!([scheme("s3://b/log"), scheme("gs://b"), scheme("az://b/")], [Some("s3"), Some("gs"), Some("az")]);
        for here in ["", "s3", "s3:", "s3:/b", "./s3://b", "/s3://b", "S3://b", "http://b", "-"] {
            assert_eq!(scheme(here), None, "{here}");
        }
    }
}

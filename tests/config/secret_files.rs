//! A secret in a file.

use crate::support::{ID, SECRET, assert_has, not_configured};
use tokenwell::config::Config;

#[test]
fn a_file_with_the_secret_completes_the_pair() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), format!("{SECRET}\n")).unwrap();

    let config = Config::builder().client_id(ID).client_secret_file(file.path()).build().unwrap();

    assert_eq!(config.client_id(), ID);
    assert!(!format!("{config:?}").contains("canary"));
}

#[test]
fn a_file_named_by_a_variable_completes_the_pair() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), SECRET).unwrap();
    let path = file.path().as_os_str().to_owned();

    let config = Config::builder()
        .environment(move |name| match name {
            "TOKENWELL_CLIENT_ID" => Some(ID.into()),
            "TOKENWELL_CLIENT_SECRET_FILE" => Some(path.clone()),
            _ => None,
        })
        .build();

    assert_eq!(config.unwrap().client_id(), ID);
}

#[test]
fn a_file_that_cannot_be_read_is_named_when_the_configuration_is_built() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("no-such-file");

    let shown = not_configured(&Config::builder().client_id(ID).client_secret_file(&path));

    assert_has(&shown, &["no-such-file", "set by client_secret_file", "Check that the path is correct"]);
}

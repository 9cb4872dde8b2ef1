//! Renaming a profile whose secret is in the keyring.

use crate::support::{Fault, Home, ID, SECRET, assert_has, checked, shown};
use tokenwell::config::profiles::{ConfigFile, Profile, SecretLocation, rename_profile, store_profile};
use tokenwell::secret::Secret;

fn stored() -> (Home, ConfigFile) {
    let home = Home::new();
    let file = ConfigFile::at(home.our_file()).keyring(home.keyring.clone());
    let profile = Profile { client_id: ID.to_owned(), ..Profile::default() };
    store_profile(&file, "old", &profile, &Secret::from(SECRET), SecretLocation::Keyring).unwrap();
    (home, file)
}

#[test]
fn the_secret_moves_to_the_entry_of_the_new_name() {
    let (home, file) = stored();

    let renamed = rename_profile(&file, "old", "new").unwrap();

    assert!(renamed.in_keyring && renamed.secret_file.is_none() && !renamed.is_default);
    let kept = home.keyring.kept.lock().unwrap().clone();
    assert_eq!(kept.into_iter().collect::<Vec<_>>(), [(("tokenwell_new".to_owned(), "client_secret".to_owned()), SECRET.to_owned())]);
    assert_eq!(home.builder().profile("new").build().unwrap().client_id(), ID);
}

#[test]
fn a_keyring_that_cannot_be_read_changes_nothing() {
    let (home, file) = stored();
    let before = std::fs::read_to_string(home.our_file()).unwrap();
    *home.keyring.fault.lock().unwrap() = Some(Fault::Locked);

    let error = checked(rename_profile(&file, "old", "new").unwrap_err());

    assert_has(&shown(&error), &["cannot read the secret of profile old in the keyring: the keyring is locked", "was not renamed"]);
    assert_eq!(std::fs::read_to_string(home.our_file()).unwrap(), before);
}

#[test]
fn a_profile_without_an_account_is_renamed_without_the_keyring() {
    let home = Home::new().ours("[old]\ntimeout_ms = 5\n");
    let file = ConfigFile::at(home.our_file()).keyring(home.keyring.clone());
    *home.keyring.fault.lock().unwrap() = Some(Fault::Hangs);

    rename_profile(&file, "old", "new").unwrap();

    assert_eq!(std::fs::read_to_string(home.our_file()).unwrap(), "[new]\ntimeout_ms = 5\n");
}

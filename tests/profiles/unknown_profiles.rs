//! A requested profile that does not exist.

use crate::support::{Home, ID, SECRET, assert_has, profile};

#[test]
fn i27_a_profile_that_was_asked_for_and_is_not_there_is_an_error_with_those_that_are() {
    let home = Home::new().ours(&(profile("default", ID) + &profile("prod", ID))).theirs(&profile("other", ID));

    let shown = home.variable("TOKENWELL_PROFILE", "staging").not_configured();

    assert_has(&shown, &["there is no profile staging (set by TOKENWELL_PROFILE)", "tokenwell/config.toml has only default and prod; "]);
    assert_has(&shown, &["atlascli/config.toml has only other", "`tokenwell login --profile staging`", "remove TOKENWELL_PROFILE"]);
}

#[test]
fn a_misspelled_profile_is_answered_with_the_nearest() {
    let home = Home::new().ours(&(profile("default", ID) + &profile("staging", ID)));

    assert_has(&home.variable("TOKENWELL_PROFILE", "stagin").not_configured(), &["Did you mean staging?"]);
}

#[test]
fn i27_a_credential_elsewhere_is_no_way_around_a_profile_that_is_not_there() {
    let home = Home::new().variable("MONGODB_ATLAS_CLIENT_ID", ID).variable("MONGODB_ATLAS_CLIENT_SECRET", SECRET);
    assert_eq!(home.build().client_id(), ID);

    assert_has(
        &home.variable("MCLI_PROFILE", "staging").not_configured(),
        &["there is no profile staging (set by MCLI_PROFILE)", "config.toml does not exist"],
    );
}

#[test]
fn a_profile_may_exist_only_in_the_atlas_cli() {
    let home = Home::new().ours(&profile("default", "usual")).theirs(&profile("prod", ID)).variable("MONGODB_ATLAS_PROFILE", "prod");

    assert_eq!(home.build().client_id(), ID);
}

#[test]
fn a_file_without_a_default_profile_is_not_an_error_by_itself() {
    let home = Home::new().ours(&profile("prod", ID));

    assert_has(&home.not_configured(), &["profile default in ", "no such profile; the file has prod"]);
    let home = home.variable("MCLI_CLIENT_ID", ID).variable("MCLI_CLIENT_SECRET", SECRET);
    assert_eq!(home.build().client_id(), ID);
}

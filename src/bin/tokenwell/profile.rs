//! `tokenwell profile`: shows and changes the profiles of this user. Waits for no keyring, except to
//! rename or remove a profile whose secret is stored in one.

use crate::failure::Failure;
use crate::logout;
use crate::output;
use crate::terminal::{Cell, Stream, Table};
use clap::Subcommand;
use serde_json::{Value, json};
use std::path::Path;
use tokenwell::Status;
use tokenwell::config::profiles::{
    ConfigFile, ProfileEntry, ProfileList, ProfileProgram, SecretPlace, SelectedProfile, list_profiles, rename_profile, set_default_profile,
};
use tokenwell::error::printable_path;

/// List, show, select, rename or remove profiles
///
/// `tokenwell login` creates a profile. Profiles of the Atlas CLI are listed and can be selected, but
/// never changed.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

const EXAMPLES: &str = "\
Examples:
  tokenwell profile list
  tokenwell profile show staging

  Use another profile from now on, in all programs that select none
    tokenwell profile use staging";

#[derive(Subcommand)]
enum Action {
    /// List the profiles; `*` marks the one that is used if no flag selects another
    #[command(after_long_help = "Examples:\n  tokenwell profile list\n  tokenwell profile list --json | jq -r '.[].name'")]
    List {
        /// Print one JSON array
        #[arg(long)]
        json: bool,
    },
    /// Show the settings of a profile, without its secret
    #[command(after_long_help = "Examples:\n  tokenwell profile show\n  tokenwell profile show staging --json")]
    Show {
        /// Name of the profile; without it, the one that is used
        name: Option<String>,

        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Make a profile the default one
    #[command(
        after_long_help = "Examples:\n  tokenwell profile use staging\n\n  Back to the profile named default\n    tokenwell profile use default"
    )]
    Use {
        /// Name of the profile
        name: String,
    },
    /// Rename a profile; restart programs that use the old name
    #[command(after_long_help = "Examples:\n  tokenwell profile rename stg staging")]
    Rename {
        /// Name of the profile
        old: String,
        /// Its new name
        new: String,
    },
    /// Remove a profile, its secret and its cached token, like `tokenwell logout --profile NAME`
    #[command(after_long_help = "Examples:\n  tokenwell profile remove staging")]
    Remove {
        /// Name of the profile
        name: String,
    },
}

/// The profile that is used if nothing selects another one.
const DEFAULT_PROFILE: &str = "default";

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    match args.action {
        Action::List { json } => list(json),
        Action::Show { name, json } => show(name.as_deref(), json),
        Action::Use { name } => select(&name),
        Action::Rename { old, new } => rename(&old, &new),
        Action::Remove { name } => logout::remove(&argument(&name, "NAME")?, false, false),
    }
}

/// The profile that an argument names. A message about it need not say where the name is from.
fn argument(name: &str, argument: &str) -> Result<SelectedProfile, Failure> {
    Ok(SelectedProfile { named_by: None, ..SelectedProfile::find(Some(name), argument)? })
}

/// All profiles. Files that cannot be used are reported, and are no reason to show nothing.
fn profiles() -> ProfileList {
    let list = list_profiles();
    for file in &list.unusable {
        output::warning(&format!("{}\n  hint: {}", file.problem, file.hint));
    }
    list
}

fn list(as_json: bool) -> Result<(), Failure> {
    let selected = SelectedProfile::find(None, "")?;
    let list = profiles();
    if as_json {
        let objects = list.profiles.iter().map(|entry| object(entry, &list, &selected));
        return output::line(&Value::from_iter(objects).to_string());
    }
    if list.profiles.is_empty() {
        if let Some(file) = list.unusable.first() {
            let hint = "Correct what the warning names. The file may contain profiles.";
            return Err(Failure::new(Status::NotConfigured, format!("no profile can be read from {}", shown(&file.file)), hint));
        }
        output::message("there is no profile; `tokenwell login` creates one");
        return Ok(());
    }
    let mut sections = Vec::new();
    for program in [ProfileProgram::Tokenwell, ProfileProgram::AtlasCli] {
        let entries: Vec<_> = list.profiles.iter().filter(|entry| entry.program == program).collect();
        let Some(first) = entries.first() else { continue };
        let mut table = Table::default();
        for entry in &entries {
            table.row(row(entry, is_used(entry, &list, &selected)));
        }
        let program = if program == ProfileProgram::AtlasCli { " (Atlas CLI)" } else { "" };
        sections.push(format!("{}{program}\n{}", printable_path(&first.file), table.render(Stream::Out)));
    }
    output::line(&sections.join("\n"))?;
    if let Some(named_by) = &selected.named_by {
        output::message(&format!("the profile {} is set by {named_by}", selected.name));
    }
    Ok(())
}

/// Whether this is the profile that a command without a flag uses.
fn is_used(entry: &ProfileEntry, list: &ProfileList, selected: &SelectedProfile) -> bool {
    entry.name == selected.name && list.find(&entry.name) == Some(entry)
}

fn row(entry: &ProfileEntry, is_used: bool) -> Vec<Cell> {
    let name = format!("{} {}", if is_used { "*" } else { " " }, entry.name);
    if let Some(problem) = &entry.problem {
        return vec![name.into(), format!("not usable: {problem}").into()];
    }
    let Some(client_id) = entry.setting("client_id") else {
        return vec![name.into(), if entry.secret == SecretPlace::None { "no account" } else { "the account is in the keyring" }.into()];
    };
    let secret = match entry.secret {
        SecretPlace::File(_) => "file",
        SecretPlace::Profile => "profile",
        SecretPlace::Keyring { .. } => "keyring",
        SecretPlace::None => "none",
    };
    vec![name.into(), entry.server().into(), client_id.into(), secret.into()]
}

fn show(name: Option<&str>, as_json: bool) -> Result<(), Failure> {
    let selected = name.map_or_else(|| Ok(SelectedProfile::find(None, "")?), |name| argument(name, "NAME"))?;
    let list = profiles();
    let entry = find(&list, &selected)?;
    if as_json {
        return output::line(&object(entry, &list, &SelectedProfile::find(None, "")?).to_string());
    }
    let mut table = Table::default();
    let program = if entry.program == ProfileProgram::AtlasCli { " (Atlas CLI)" } else { "" };
    table.row(["profile".into(), entry.name.as_str().into()]);
    table.row(["file".into(), format!("{}{program}", printable_path(&entry.file)).into()]);
    if entry.setting("client_id").is_some() && entry.setting("token_url").or(entry.setting("base_url")).is_none() {
        table.row(["base_url".into(), format!("{} (the default)", entry.server()).into()]);
    }
    for (setting, value) in entry.settings() {
        table.row([(*setting).into(), value.as_str().into()]);
    }
    table.row(["secret".into(), secret_place(entry).into()]);
    if let Some(problem) = &entry.problem {
        table.row(["not usable".into(), problem.as_str().into()]);
    }
    output::line(&table.render(Stream::Out))
}

fn secret_place(entry: &ProfileEntry) -> String {
    match &entry.secret {
        SecretPlace::File(path) => format!("in {}", printable_path(path)),
        SecretPlace::Profile => "in the profile itself".to_owned(),
        SecretPlace::Keyring { service } => format!("in the keyring (service {service}), which was not opened"),
        SecretPlace::None => "none".to_owned(),
    }
}

fn object(entry: &ProfileEntry, list: &ProfileList, selected: &SelectedProfile) -> Value {
    let secret = match &entry.secret {
        SecretPlace::File(path) => json!({ "kind": "file", "path": path.display().to_string() }),
        SecretPlace::Profile => json!({ "kind": "profile" }),
        SecretPlace::Keyring { service } => json!({ "kind": "keyring", "service": service }),
        SecretPlace::None => Value::Null,
    };
    let settings: serde_json::Map<_, _> = entry.settings().iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    json!({
        "name": entry.name,
        "used": is_used(entry, list, selected),
        "default": entry.name == list.default && list.find(&entry.name) == Some(entry),
        "program": match entry.program { ProfileProgram::Tokenwell => "tokenwell", ProfileProgram::AtlasCli => "atlascli" },
        "file": entry.file.display().to_string(),
        "client_id": entry.setting("client_id"),
        "server": entry.server(),
        "secret": secret,
        "settings": settings,
        "problem": entry.problem,
    })
}

fn find<'a>(list: &'a ProfileList, selected: &SelectedProfile) -> Result<&'a ProfileEntry, Failure> {
    list.find(&selected.name).ok_or_else(|| {
        let names: Vec<_> = list.profiles.iter().map(|entry| entry.name.as_str()).collect();
        let names = if names.is_empty() { "there is none".to_owned() } else { format!("the profiles are {}", names.join(", ")) };
        Failure::new(
            Status::NotConfigured,
            format!("there is no {selected}: {names}"),
            format!("Use the name of an existing profile, or create this one with `tokenwell login --profile {}`.", selected.name),
        )
    })
}

fn select(name: &str) -> Result<(), Failure> {
    let argument = argument(name, "NAME")?;
    let file = ConfigFile::for_current_user()?;
    // Without a line `default_profile`, the profile of that name is used if there is one.
    if name != DEFAULT_PROFILE {
        refuse_broken(find(&profiles(), &argument)?)?;
    } else if let Some(entry) = profiles().find(name) {
        refuse_broken(entry)?;
    }
    set_default_profile(&file, name)?;
    output::message(&format!("profile {name} is now the default ({})", shown(file.path())));
    let used = SelectedProfile::find(None, "")?;
    if let Some(named_by) = used.named_by.filter(|_| used.name != name) {
        output::warning(&format!("{named_by} selects profile {}; unset it to use the default", used.name));
    }
    Ok(())
}

/// A profile that no command can use must not become the one that all use.
fn refuse_broken(entry: &ProfileEntry) -> Result<(), Failure> {
    let (name, file) = (&entry.name, printable_path(&entry.file));
    let hint = format!("Correct {file}, or store the account again with `tokenwell login --profile {name} --force`.");
    if let Some(problem) = &entry.problem {
        return Err(Failure::new(Status::NotConfigured, format!("profile {name} is not the default: it cannot be used: {problem}"), hint));
    }
    if let SecretPlace::File(path) = &entry.secret
        && !path.exists()
    {
        let problem = format!("profile {name} is not the default: its secret file {} does not exist", printable_path(path));
        return Err(Failure::new(Status::NotConfigured, problem, hint));
    }
    Ok(())
}

fn rename(old: &str, new: &str) -> Result<(), Failure> {
    argument(old, "OLD")?;
    argument(new, "NEW")?;
    let file = ConfigFile::for_current_user()?;
    output::message(&format!("renaming profile {old} to {new} in {}", shown(file.path())));
    let renamed = rename_profile(&file, old, new)?;
    let secret = match (&renamed.secret_file, renamed.in_keyring) {
        (Some(path), _) => format!("; its secret is stored in {}", shown(path)),
        (None, true) => "; its secret is stored in the keyring".to_owned(),
        (None, false) => String::new(),
    };
    let default = if renamed.is_default { "; it is still the default profile" } else { "" };
    output::message(&format!("renamed profile {old} to {new}{secret}{default}"));
    Ok(())
}

fn shown(path: &Path) -> String {
    printable_path(path)
}

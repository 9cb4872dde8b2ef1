//! Where `tokenwell login` gets the client id and the secret from: flags, standard input, the
//! environment or a prompt.

use crate::ask;
use crate::failure::Failure;
use crate::login::lookup;
use crate::output;
use crate::prompt;
use crate::settings::{Account, builder, flag, line_from_standard_input};
use std::borrow::Cow;
use std::sync::OnceLock;
use tokenwell::config::settings;
use tokenwell::error::os_reason;
use tokenwell::secret::Secret;
use tokenwell::{Config, Status};

const EMPTY_STDIN_HINT: &str = "Redirect the secret: tokenwell login --client-id ID --client-secret-stdin < secret.txt. Without --client-secret-stdin, \
                                tokenwell prompts for it on the terminal.";

const SCRIPT_HINT: &str =
    "Pass the client id: tokenwell login --client-id ID --client-secret-stdin < secret.txt. A prompt requires a terminal.";

/// The client id, and where its secret comes from.
pub(crate) enum Given {
    /// Standard input has the secret.
    StandardInput(ClientId),
    /// The user types the secret.
    Prompt(ClientId),
    /// The environment has the secret, or names its file.
    Environment(Box<Config>),
}

/// A client id, and the name of its source in messages.
pub(crate) struct ClientId {
    value: String,
    source: String,
}

impl ClientId {
    fn of_flag(id: &str) -> Self {
        Self { value: id.to_owned(), source: "--client-id".to_owned() }
    }

    fn of_variable(id: String, variable: &str) -> Self {
        Self { value: id, source: variable_source(variable) }
    }

    fn of_prompt() -> Result<Self, Failure> {
        Ok(Self { value: prompt_for_id()?, source: "the prompt for the client id".to_owned() })
    }
}

fn variable_source(variable: &str) -> String {
    format!("environment variable {variable}")
}

/// The sources of the client id and the secret.
static SOURCES: OnceLock<(String, String)> = OnceLock::new();

/// The name of a setting in messages: what the user wrote, and not the flag that was not used.
pub(crate) fn source_name(setting: &'static str) -> Cow<'static, str> {
    match (setting, SOURCES.get()) {
        ("client_id", Some((id, _))) => id.as_str().into(),
        ("client_secret" | "client_secret_file", Some((_, secret))) => secret.as_str().into(),
        _ => flag(setting),
    }
}

impl Given {
    /// From now on, messages name these sources.
    pub(crate) fn name_sources(&self) {
        let (id, secret) = match self {
            Self::StandardInput(id) => (id.source.clone(), "--client-secret-stdin".to_owned()),
            Self::Prompt(id) => (id.source.clone(), "the prompt for the secret".to_owned()),
            Self::Environment(config) => {
                let source = |settings: &[&str]| {
                    let found = config.provenance().iter().find(|from| settings.contains(&from.setting()));
                    found.map(|from| from.source().trim_start_matches("option ").to_owned()).unwrap_or_default()
                };
                (source(&["client_id"]), source(&["client_secret", "client_secret_file"]))
            }
        };
        // A command has one account.
        let _ = SOURCES.set((id, secret));
    }

    pub(crate) fn client_id(&self) -> &str {
        match self {
            Self::StandardInput(id) | Self::Prompt(id) => &id.value,
            Self::Environment(config) => config.client_id(),
        }
    }

    pub(crate) fn will_prompt(&self) -> bool {
        matches!(self, Self::Prompt(_))
    }

    /// Finds the client id, and prompts for it if it is nowhere. The secret is not read yet.
    pub(crate) fn find(client_id: Option<&str>, secret_stdin: bool, account: &Account) -> Result<Self, Failure> {
        let variables = AccountVariables::first();
        if secret_stdin {
            let by_variable = || variables.as_ref().and_then(AccountVariables::client_id);
            let id = client_id.map(ClientId::of_flag).or_else(by_variable);
            return Ok(Self::StandardInput(id.map_or_else(ClientId::of_prompt, Ok)?));
        }
        let Some(variables) = variables else {
            return Ok(Self::Prompt(client_id.map_or_else(ClientId::of_prompt, |id| Ok(ClientId::of_flag(id)))?));
        };
        match (client_id, variables.id_value()) {
            // The flag selects another account than the variables.
            (Some(id), Some(other)) if id != other => Ok(Self::Prompt(ClientId::of_flag(id))),
            // Only the variables of tokenwell can complete a flag: those of others have an account of their own.
            (Some(id), None) if variables.family != OURS => Ok(Self::Prompt(ClientId::of_flag(id))),
            (Some(id), _) if variables.secret.is_none() => Ok(Self::Prompt(ClientId::of_flag(id))),
            (None, Some(id)) if variables.secret.is_none() => {
                let variable = variables.id.unwrap_or_default();
                output::message(&format!("the client id is from {variable}"));
                Ok(Self::Prompt(ClientId::of_variable(id, variable)))
            }
            (client_id, _) => {
                let config = variables.configuration(client_id, account)?;
                output::message(&variables.note(&config));
                Ok(Self::Environment(Box::new(config)))
            }
        }
    }
}

/// Reads the secret.
pub(crate) fn credential(given: Given) -> Result<(String, Secret), Failure> {
    match given {
        Given::StandardInput(id) => {
            let secret = line_from_standard_input("the client secret", EMPTY_STDIN_HINT)?;
            Ok((id.value, Secret::from(secret.as_str())))
        }
        Given::Prompt(id) => Ok((id.value, prompt_for_secret()?)),
        Given::Environment(config) => Ok(config.credential()?),
    }
}

/// Refuses values of Atlas that are in the wrong place: the client id may be shown and the secret must
/// not, so nothing is stored or sent.
pub(crate) fn refuse_swapped(client_id: &str, secret: Option<&str>) -> Result<(), Failure> {
    let id_is_a_secret = client_id.starts_with("mdb_sa_sk_");
    let secret_is_an_id = secret.is_some_and(|secret| secret.starts_with("mdb_sa_id_"));
    let problem = match (id_is_a_secret, secret_is_an_id) {
        (false, false) => return Ok(()),
        (true, true) => "the client id and the client secret are swapped",
        (true, false) => "the client id is a client secret (mdb_sa_sk_…)",
        (false, true) => "the client secret is a client id (mdb_sa_id_…)",
    };
    Err(Failure::new(
        Status::InvalidArgument,
        format!("{problem}; nothing was stored or sent"),
        "Pass the value that begins with mdb_sa_id_ as the client id, and the one that begins with mdb_sa_sk_ as the secret.",
    ))
}

/// The prefix of the variables of tokenwell itself.
const OURS: &str = "TOKENWELL_";

/// The variables of an account, of one family.
struct AccountVariables {
    family: &'static str,
    id: Option<&'static str>,
    /// The variable of the secret or of its file, and its setting.
    secret: Option<(&'static str, &'static str)>,
}

impl AccountVariables {
    /// Returns the first family of which a variable is set.
    fn first() -> Option<Self> {
        [OURS, "MONGODB_ATLAS_", "MCLI_"].into_iter().find_map(|family| {
            let set = |name: &str| {
                let setting = settings().find(|setting| setting.name() == name)?;
                let is_set = |name: &&'static str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
                setting.variables().filter(|variable| variable.starts_with(family)).find(is_set)
            };
            let secret = ["client_secret", "client_secret_file"].into_iter().find_map(|setting| Some((set(setting)?, setting)));
            let found = Self { family, id: set("client_id"), secret };
            (found.id.is_some() || found.secret.is_some()).then_some(found)
        })
    }

    fn id_value(&self) -> Option<String> {
        std::env::var_os(self.id?).map(|value| value.to_string_lossy().into_owned())
    }

    fn client_id(&self) -> Option<ClientId> {
        Some(ClientId::of_variable(self.id_value()?, self.id?))
    }

    /// The configuration with this account and the server of `account`. `client_id`: the id of a flag, if there is one.
    fn configuration(&self, client_id: Option<&str>, account: &Account) -> Result<Config, Failure> {
        let mut builder = builder().environment(lookup(None));
        if let Some(id) = client_id
            && let Some((variable, setting)) = self.secret
        {
            builder.set("client_id", id.as_bytes())?;
            let value = zeroize::Zeroizing::new(std::env::var_os(variable).unwrap_or_default().into_encoded_bytes());
            builder.set(setting, &value)?;
        }
        account.apply(&mut builder)?;
        Ok(builder.build()?)
    }

    fn note(&self, config: &Config) -> String {
        let file = config.client_secret_file().map(|path| format!(" ({})", path.display())).unwrap_or_default();
        let secret = self.secret.map_or("", |(name, _)| name);
        match self.id {
            Some(id) => format!("the client id is from {id}, the secret from {secret}{file}"),
            None => format!("the secret is from {secret}{file}"),
        }
    }
}

fn prompt_for_id() -> Result<String, Failure> {
    if !ask::is_available() {
        return Err(Failure::new(Status::NotConfigured, "there is no client id, and no terminal for a prompt", SCRIPT_HINT));
    }
    let failed = |error| Failure::new(Status::NotConfigured, format!("cannot read the client id: {}", os_reason(&error)), SCRIPT_HINT);
    match ask::line("Client id: ").map_err(failed)? {
        Some(id) if !id.is_empty() => Ok(id),
        _ => Err(Failure::new(
            Status::NotConfigured,
            "no client id was entered",
            "Run the command again and enter the client id of the service account. At Atlas it begins with mdb_sa_id_.",
        )),
    }
}

fn prompt_for_secret() -> Result<Secret, Failure> {
    const HINT: &str =
        "Redirect the secret: tokenwell login --client-id ID --client-secret-stdin < secret.txt. A prompt requires a terminal.";
    let cannot = |problem: String| Failure::new(Status::NotConfigured, problem, HINT);
    if !prompt::is_available() {
        return Err(cannot("no client secret, and no terminal for a prompt".to_owned()));
    }
    let secret = prompt::hidden("Client secret (not shown): ");
    let secret = secret.map_err(|error| cannot(format!("cannot read the client secret from the terminal: {}", os_reason(&error))))?;
    if secret.is_empty() {
        return Err(Failure::new(
            Status::NotConfigured,
            "no client secret was entered",
            "Run the command again and paste the secret at the prompt; it is not shown.",
        ));
    }
    Ok(Secret::from(secret.as_str()))
}

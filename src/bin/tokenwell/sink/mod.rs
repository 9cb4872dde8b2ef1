//! `tokenwell sink`: keeps a valid token in files, for programs that can only read a file.
//!
//! May depend on: the public API and the command's own settings, session, form, env, exec and output.
//! Start reading at [`run`]; `outputs` writes the files (`file` replaces one, `template` fills one),
//! `keeper` renews the token, `pace` computes the pauses, `hook`, `supervisor` and `metrics` tell
//! others about it.

pub(crate) mod file;
mod hook;
mod keeper;
mod metrics;
mod outputs;
mod pace;
mod supervisor;
mod template;

use crate::exec::secret_variables;
use crate::failure::Failure;
use crate::output;
use crate::settings::Settings;
use crate::stop::{Renewals, Stop};
use crate::wanted;
use hook::{Hook, Hooks};
use keeper::Keeper;
use metrics::Metrics;
use outputs::{Content, Outputs, STANDARD_OUTPUT, SinkFormat, Target};
use pace::Pace;
use std::path::{Path, PathBuf};
use std::time::Duration;
use supervisor::Supervisor;
use template::Template;
use tokenwell::error::os_reason;
use tokenwell::{Status, TokenOptions};

/// Keep a valid token in a file
///
/// Replaces the file before the token expires. The replacement is atomic: a reader gets either the
/// old token or the new one. If a refresh fails, it keeps the file, logs one line to standard error
/// and tries again. It runs until SIGTERM, SIGINT or SIGHUP; SIGUSR1 renews the token now. Under a
/// service manager (NOTIFY_SOCKET) SIGHUP renews it too.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Args {
    /// The file to write; with --once, - is standard output
    ///
    /// A symbolic link or other non-regular file is refused.
    #[arg(required_unless_present_any = ["output", "template"])]
    file: Option<PathBuf>,

    /// Mode of the files: 0600, 0640, 0644, 0400, 0440 or 0444
    #[arg(long, default_value = "0600", value_parser = file::mode)]
    mode: u32,

    /// Format of FILE
    #[arg(long, value_enum, default_value_t = SinkFormat::Raw)]
    format: SinkFormat,

    /// Write a JSON object to FILE, like --format json
    #[arg(long, hide_short_help = true, conflicts_with = "format")]
    json: bool,

    /// Another file to write, in one of the formats of --format
    #[arg(long, value_name = "FORMAT=FILE", value_parser = outputs::format_and_file)]
    output: Vec<(SinkFormat, PathBuf)>,

    /// Another file to write, from a template with {{ token }}
    #[arg(long, hide_short_help = true, value_name = "TEMPLATE=FILE", value_parser = outputs::template_and_file)]
    template: Vec<(PathBuf, PathBuf)>,

    /// Write the files once and exit; not with hooks, --metrics and --remove-…
    #[arg(long)]
    once: bool,

    /// Program to run after each renewal, with its arguments; no shell
    #[arg(long, value_name = "COMMAND LINE")]
    exec: Vec<String>,

    /// Time after which a program of --exec is killed
    #[arg(long, hide_short_help = true, value_name = "DURATION", default_value = "30s", value_parser = wanted::duration)]
    exec_timeout: Duration,

    /// Signal to send after each renewal to the process whose id is in PIDFILE: HUP:/run/app.pid
    #[cfg(unix)]
    #[arg(long, hide_short_help = true, value_name = "NAME:PIDFILE")]
    signal: Vec<String>,

    /// File to which figures about the renewals are written, in the format of OpenMetrics
    #[arg(long, hide_short_help = true, value_name = "FILE")]
    metrics: Option<PathBuf>,

    /// Remove the files when their token has expired
    #[arg(long, hide_short_help = true)]
    remove_when_expired: bool,

    /// Remove the files on exit
    #[arg(long, hide_short_help = true)]
    remove_on_exit: bool,

    #[command(flatten)]
    settings: Settings,
}

const EXAMPLES: &str = "\
Examples:
  tokenwell sink /run/user/1000/atlas-token &
  tokenwell sink --format header --mode 0640 /shared/atlas.header
  tokenwell sink --output json=token.json --output dotenv=token.env
  tokenwell sink --template app.tmpl=app.conf --exec 'systemctl reload app'
  tokenwell sink --once token.txt
  tokenwell sink --once --format json -

A template contains {{ token }}, {{ authorization }} (Bearer and the token),
{{ expires_at }} or {{ expires_at_unix }}, and anything else unchanged.";

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    // All that can be wrong with the command line or the files is reported before a token is
    // requested.
    if args.once {
        refuse_what_runs_later(&args)?;
    }
    let hooks = hooks(&args)?;
    let (printed, targets) =
        targets(&args)?.into_iter().partition::<Vec<_>, _>(|target| args.once && target.path == Path::new(STANDARD_OUTPUT));
    if printed.len() > 1 {
        let hint = "Use - for one output, and files for the others.";
        return Err(Failure::new(Status::InvalidArgument, "two outputs write to standard output", hint));
    }
    let others: Vec<_> = args.template.iter().map(|(template, _)| template.clone()).chain(args.metrics.clone()).collect();
    let mut outputs = Outputs::of(targets, &others, args.mode)?;
    let metrics = args.metrics.as_deref().map(Metrics::at).transpose()?;
    let session = args.settings.session()?;
    if args.once {
        let token = session.token(&TokenOptions::default())?;
        outputs.write(&token).1?;
        return printed.first().map_or(Ok(()), |target| output::secret(&target.content.of(&token)?));
    }
    let supervisor = Supervisor::find(|name| std::env::var(name).ok());
    // Before the first token request: a signal must stop that too.
    let renewals = if supervisor.exists() { Renewals::UserAndHangup } else { Renewals::User };
    let stop = Stop::listen_for(renewals).map_err(|error| {
        let problem = format!("cannot wait for signals: {}", os_reason(&error));
        Failure::new(Status::Internal, problem, "The system has no free thread or file descriptor. Raise its limits.")
    })?;
    let keeper = Keeper {
        session: &session,
        stop: &stop,
        outputs: &mut outputs,
        hooks: Hooks::start(hooks, secret_variables(&session.config))?,
        supervisor,
        metrics,
        removes_expired: args.remove_when_expired,
        pace: Pace::default(),
        written: None,
        last_problem: None,
    };
    let outcome = keeper.run();
    if args.remove_on_exit {
        outputs.remove()?;
    }
    outcome
}

/// Refuses what happens after the first token, when `sink --once` has ended.
fn refuse_what_runs_later(args: &Args) -> Result<(), Failure> {
    const AFTERWARDS: &str = "Leave out --once, or run it afterwards: tokenwell sink --once FILE && PROGRAM.";
    const KEEPS: &str = "Leave out --once, so that the command keeps the files up to date, or leave out";
    #[cfg(unix)]
    let signals = !args.signal.is_empty();
    #[cfg(not(unix))]
    let signals = false;
    let given = [
        (!args.exec.is_empty(), "--exec", AFTERWARDS.to_owned()),
        (signals, "--signal", AFTERWARDS.replace("PROGRAM", "kill -HUP PID")),
        (args.metrics.is_some(), "--metrics", format!("{KEEPS} --metrics.")),
        (args.remove_when_expired, "--remove-when-expired", format!("{KEEPS} --remove-when-expired.")),
        (args.remove_on_exit, "--remove-on-exit", format!("{KEEPS} --remove-on-exit.")),
    ];
    let refused = given.into_iter().find(|(is_given, ..)| *is_given);
    refused.map_or(Ok(()), |(_, flag, hint)| {
        let problem = format!("{flag} cannot be used with --once, which ends as soon as the files are written");
        Err(Failure::new(Status::InvalidArgument, problem, hint))
    })
}

fn targets(args: &Args) -> Result<Vec<Target>, Failure> {
    let format = if args.json { SinkFormat::Json } else { args.format };
    let own = args.file.iter().map(|path| Target { content: Content::Format(format), path: path.clone() });
    let others = args.output.iter().map(|(format, path)| Target { content: Content::Format(*format), path: path.clone() });
    let mut targets: Vec<_> = own.chain(others).collect();
    for (template, path) in &args.template {
        targets.push(Target { content: Content::Template(Template::read(template)?), path: path.clone() });
    }
    Ok(targets)
}

fn hooks(args: &Args) -> Result<Vec<Hook>, Failure> {
    let programs = args.exec.iter().map(|line| Hook::exec(line, args.exec_timeout));
    #[cfg(unix)]
    let all = programs.chain(args.signal.iter().map(|value| Hook::signal(value)));
    #[cfg(not(unix))]
    let all = programs;
    all.collect()
}

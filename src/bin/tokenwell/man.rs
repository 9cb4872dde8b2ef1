//! `tokenwell man`: prints the manual pages.

use crate::failure::Failure;
use crate::{Cli, output};
use clap::CommandFactory as _;
use tokenwell::Status;

/// Print a manual page in roff format
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Args {
    /// The command to document; without it, print the page of tokenwell itself
    #[arg(value_name = "COMMAND")]
    command: Option<String>,
}

const EXAMPLES: &str = "\
Examples:
  tokenwell man | man -l -
  tokenwell man exec > tokenwell-exec.1";

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let mut all = Cli::command();
    all.build();
    let page = match &args.command {
        None => all,
        Some(name) => all.find_subcommand(name).cloned().ok_or_else(|| {
            let known: Vec<_> = all.get_subcommands().map(|command| command.get_name().to_owned()).collect();
            Failure::new(Status::InvalidArgument, format!("unknown command `{name}`"), format!("Use one of: {}.", known.join(", ")))
        })?,
    };
    let name = page.get_bin_name().unwrap_or("tokenwell").replace(' ', "-");
    let mut roff = Vec::new();
    clap_mangen::Man::new(page.name(name)).render(&mut roff).map_err(Failure::Output)?;
    output::bytes(&roff)
}

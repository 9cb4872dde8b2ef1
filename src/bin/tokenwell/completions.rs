//! `tokenwell completions`: prints a completion script for a shell.

use crate::failure::Failure;
use crate::{Cli, output};
use clap::CommandFactory as _;

/// Print the completion script for a shell
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Args {
    /// The shell
    #[arg(value_enum)]
    shell: clap_complete::Shell,
}

const EXAMPLES: &str = "\
Examples:
  dir=~/.local/share/bash-completion/completions
  tokenwell completions bash > $dir/tokenwell
  tokenwell completions zsh > ~/.zfunc/_tokenwell
  tokenwell completions fish > ~/.config/fish/completions/tokenwell.fish";

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "tokenwell", &mut script);
    output::bytes(&script)
}

//! `tokenwell completions`: what a shell needs to complete the command's words.

use crate::failure::Failure;
use crate::{Cli, output};
use clap::CommandFactory as _;

/// Print the completions of a shell
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Args {
    /// Which shell
    #[arg(value_enum)]
    shell: clap_complete::Shell,
}

const EXAMPLES: &str = "\
Examples:
  tokenwell completions bash > ~/.local/share/bash-completion/completions/tokenwell
  tokenwell completions zsh > ~/.zfunc/_tokenwell
  tokenwell completions fish > ~/.config/fish/completions/tokenwell.fish";

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "tokenwell", &mut script);
    output::bytes(&script)
}

//! `apus completions`: writes a completion script for a shell.

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::Stage;
use crate::arguments::Arguments;
use crate::exit::{Exit, Failure};

pub(crate) fn run(stage: &Stage, shell: Shell) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "apus", &mut script);
    stage.output.raw(&script)?;
    Ok(Exit::Done)
}

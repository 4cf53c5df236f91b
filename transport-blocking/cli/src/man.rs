//! `apus man`: writes the manual.

use std::fs;
use std::path::Path;

use clap::CommandFactory as _;
use clap_mangen::Man;

use crate::Stage;
use crate::arguments::Arguments;
use crate::exit::{Exit, Failure};

/// Writes the page of `apus` to standard output, or a page for it and each of its commands into a
/// directory.
pub(crate) fn run(stage: &Stage, directory: Option<&Path>) -> Result<Exit, Failure> {
    let mut command = Arguments::command();
    command.build();
    let Some(directory) = directory else {
        let mut page = Vec::new();
        Man::new(command).render(&mut page)?;
        stage.output.raw(&page)?;
        return Ok(Exit::Done);
    };
    fs::create_dir_all(directory).map_err(|error| Failure::file(directory, &error))?;
    clap_mangen::generate_to(command, directory)
        .map_err(|error| Failure::file(directory, &error))?;
    Ok(Exit::Done)
}

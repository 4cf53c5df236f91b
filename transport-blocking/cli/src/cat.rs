//! `apus cat`: writes objects to standard output, one after another.

use std::io;

use apus_blocking::Sink;
use apus_core::store::Get;

use crate::Stage;
use crate::exit::Exit;
use crate::exit::Failure;

/// Writes each object; the first failure ends the command, since what follows would take the place
/// of what is missing.
pub(crate) fn run(stage: &Stage, locations: &[String]) -> Result<Exit, Failure> {
    let open = stage.open()?;
    let stored = locations.iter().map(|location| open.stored(location));
    for (stored, location) in stored.collect::<Result<Vec<_>, _>>()?.iter().zip(locations) {
        let got = open.stores.get(stored, &Get::default(), Sink::writer(io::stdout()));
        let got = got.map_err(|error| open.at(stored)(error).of_output("standard output"));
        got.map_err(|failure| match locations.len() {
            1 => failure,
            _ => failure.of(location),
        })?;
    }
    Ok(Exit::Done)
}

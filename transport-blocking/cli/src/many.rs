//! The objects that a command names: by arguments, by a prefix, or on standard input.

use clap::Args;

use crate::address::shown;
use crate::exit::{Exit, Failure};
use crate::list;
use crate::names::{Name, Names};
use crate::objects::{Entry, Which};
use crate::open::Open;
use crate::output::Output;
use crate::place::Place;
use crate::pool;

/// Which objects a command works on.
#[derive(Clone, Debug, Args)]
pub(crate) struct Many {
    /// The objects' locations, or their names in the backend; - reads names from standard input, one
    /// a line
    #[arg(required = true, value_name = "LOCATION")]
    pub(crate) locations: Vec<String>,

    /// All objects whose names begin with LOCATION
    #[arg(short, short_alias = 'R', long)]
    pub(crate) recursive: bool,

    /// The names on standard input end with a NUL instead of a line's end
    #[arg(short = '0', long)]
    pub(crate) null: bool,
}

impl Many {
    /// Whether it is one object, whose failure is that of the command.
    pub(crate) fn is_one(&self) -> bool {
        matches!(&*self.locations, [one] if one != "-") && !self.recursive
    }
}

/// Works on each object, several at once, and continues after one that fails. `take` gets each
/// argument with its result.
pub(crate) fn each<R: Send>(
    open: &Open,
    output: Output,
    which: &Many,
    at_once: usize,
    work: impl Fn(&str) -> Result<R, Failure> + Sync,
    mut take: impl FnMut(&str, R) -> Result<(), Failure>,
) -> Result<Exit, Failure> {
    let (mut all, mut failed) = (0_u64, Vec::new());
    let work = |name: Name| {
        let result = name.wrong.map_or_else(|| work(&name.text), Err);
        (name.text, result)
    };
    let named = |text: String| Name { text, wrong: None };
    let is_one = which.is_one();
    let take = |(argument, result): (String, Result<R, Failure>)| {
        all += 1;
        match result {
            Ok(result) => take(&argument, result),
            Err(failure) if failure.exit == Exit::Interrupted => Err(failure),
            Err(failure) if is_one => {
                failed.push(failure);
                Ok(())
            }
            Err(failure) => {
                let failure = failure.of_name(&shown(&argument));
                output.fail(&failure);
                failed.push(failure);
                Ok(())
            }
        }
    };
    pool::each(at_once, work, take, |push| {
        for location in &which.locations {
            if location == "-" {
                for batch in Names::of_stdin(which.null)? {
                    batch?.into_iter().try_for_each(&mut *push)?;
                }
            } else if which.recursive {
                let target = list::prefix(open, Some(location))?;
                let (objects, id) = (open.objects(target.backend)?, target.backend.id());
                let under = Which { prefix: &target.name, ..Which::default() };
                let listed = objects.list(under, &mut |entry| match entry {
                    Entry::Object(found) => push(named(format!("{id}:{}", found.name))),
                    Entry::Prefix(_) => Ok(()),
                });
                listed.map_err(|failure| failure.at(&Place::of_backend(target.backend)))?;
            } else {
                push(named(location.clone()))?;
            }
        }
        Ok(())
    })?;
    match failed.len() {
        0 => Ok(Exit::Done),
        1 if is_one => Err(failed.remove(0)),
        failures => {
            let message = format!("{failures} of {all} objects failed");
            Err(Failure::new(Exit::Partial, message))
        }
    }
}

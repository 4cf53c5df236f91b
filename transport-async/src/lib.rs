//! Runs apus-core over hyper.

//! Runs apus-core over ureq.

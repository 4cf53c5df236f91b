//! Nested machines.

use std::ops::ControlFlow;

use crate::contract::Step;
use crate::error::Error;

/// Handles a step of inner machine `slot`: returns its step, to be passed on by the outer machine,
/// or its result.
pub(crate) fn nest<T, U>(step: Step<T>, slot: u32) -> ControlFlow<Step<U>, Result<T, Error>> {
    match step {
        Step::Send(mut draft) => {
            draft.ticket = draft.ticket.nested(slot);
            ControlFlow::Break(Step::Send(draft))
        }
        Step::Wait(wait) => ControlFlow::Break(Step::Wait(wait)),
        Step::Done(result) => ControlFlow::Continue(result),
    }
}

/// Converts the output of a machine's last step.
pub(crate) fn done<T, U>(step: Step<T>, turn: impl FnOnce(T) -> U) -> Step<U> {
    match step {
        Step::Send(draft) => Step::Send(draft),
        Step::Wait(wait) => Step::Wait(wait),
        Step::Done(result) => Step::Done(result.map(turn)),
    }
}

/// Returns a seed for inner machine `slot`.
pub(crate) fn seed(outer: u64, slot: u32) -> u64 {
    (outer ^ u64::from(slot)).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29)
}

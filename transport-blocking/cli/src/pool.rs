//! Work on many objects at once.

use std::sync::mpsc;
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::exit::Failure;

/// Runs `work` on threads for each item that `feed` passes to its argument, and `take` on the
/// caller's thread for each result, in the order in which the work ends. At most two items a worker
/// are held at once. The first error of `feed` or `take` ends the feeding; work that has begun is
/// waited for.
pub(crate) fn each<T: Send, R: Send>(
    workers: usize,
    work: impl Fn(T) -> R + Sync,
    mut take: impl FnMut(R) -> Result<(), Failure>,
    feed: impl FnOnce(&mut dyn FnMut(T) -> Result<(), Failure>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let workers = workers.max(1);
    let (jobs, queue) = mpsc::sync_channel::<T>(2 * workers);
    let (results, ended) = mpsc::channel::<R>();
    let queue = Mutex::new(queue);
    thread::scope(|scope| {
        for _ in 0..workers {
            let (queue, results, work) = (&queue, results.clone(), &work);
            scope.spawn(move || {
                loop {
                    // A guard that lives through the work would leave one worker at a time.
                    let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok(item) = next else { return };
                    if results.send(work(item)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(results);
        let mut begun = 0;
        let fed = feed(&mut |item| {
            while begun >= 2 * workers {
                let Ok(result) = ended.recv() else { break };
                begun -= 1;
                take(result)?;
            }
            begun += 1;
            // The workers live as long as the channel.
            let _ = jobs.send(item);
            Ok(())
        });
        drop(jobs);
        let mut first = fed;
        for result in &ended {
            let taken = take(result);
            first = first.and(taken);
        }
        first
    })
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::exit::Exit;

    #[test]
    fn every_item_is_worked_on_once_and_few_are_held() {
        let (at_once, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let (fed, taken) = (Cell::new(0_u64), Cell::new(0_u64));
        let mut sum = 0;
        let work = |item: u64| {
            most.fetch_max(1 + at_once.fetch_add(1, Ordering::SeqCst), Ordering::SeqCst);
            thread::yield_now();
            at_once.fetch_sub(1, Ordering::SeqCst);
            item
        };
        let take = |item| {
            taken.set(taken.get() + 1);
            sum += item;
            Ok(())
        };
        each(4, work, take, |push| {
            for item in 1..=1000 {
                push(item)?;
                fed.set(fed.get() + 1);
                assert!(fed.get() - taken.get() <= 8);
            }
            Ok(())
        })
        .unwrap();
        assert_eq!((sum, taken.get()), (500_500, 1000));
        assert!(most.load(Ordering::SeqCst) <= 4);
    }

    #[test]
    fn an_error_ends_the_feeding_and_waits_for_the_work() {
        let done = AtomicUsize::new(0);
        let mut fed = 0;
        let result = each(
            2,
            |item: u64| {
                done.fetch_add(1, Ordering::SeqCst);
                item
            },
            |item| match item {
                10 => Err(Failure::new(Exit::Other, "ten")),
                _ => Ok(()),
            },
            |push| {
                (0..1000).try_for_each(|item| {
                    push(item)?;
                    fed += 1;
                    Ok(())
                })
            },
        );
        assert_eq!(result.unwrap_err().message, "ten");
        assert!(fed < 100, "{fed}");
        assert!(done.load(Ordering::SeqCst) >= fed, "{fed}");
    }
}

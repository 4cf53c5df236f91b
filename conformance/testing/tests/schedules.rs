//! The simulator: that a schedule is the same each time, and that many of them end well.
//!
//! ```sh
//! APUS_SIMULATE_SCHEDULES=50000 APUS_SIMULATE_SEED=1 cargo test -p apus-testing --test schedules
//! ```

use apus_testing::sim::{simulate, trace, workloads};

#[test]
fn equal_seeds_give_equal_traces() {
    for name in workloads() {
        for seed in [1, 77, 4711] {
            let text = trace(seed, name).unwrap();
            assert_eq!(text, trace(seed, name).unwrap(), "{name} {seed}");
            assert!(text.contains(name) && text.lines().count() > 2, "{text}");
        }
    }
}

#[test]
fn other_seeds_give_other_traces() {
    for name in workloads() {
        assert_ne!(trace(1, name).unwrap(), trace(2, name).unwrap(), "{name}");
    }
}

#[test]
fn a_workload_that_there_is_not_is_told() {
    let told = simulate(1, 1, Some("s3-teleport")).unwrap_err();
    assert!(told.contains("s3-teleport") && told.contains("s3-put"), "{told}");
}

#[test]
fn a_few_schedules_of_each_workload_end_well() {
    for name in workloads() {
        let report = simulate(60, 9000, Some(name)).unwrap();
        assert_eq!(report.failures(), 0, "{report}");
    }
}

/// 2,000 of all workloads, or as many as the environment says, from the seed on that it says.
#[test]
fn schedules_of_all_workloads_end_well() {
    let number = |name: &str, otherwise: u64| match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} is {text:?}, no number")),
        Err(_) => otherwise,
    };
    let schedules = number("APUS_SIMULATE_SCHEDULES", 2000);
    let report = simulate(schedules, number("APUS_SIMULATE_SEED", 1), None).unwrap();
    assert!(report.is_success(), "{report}");
}

/// A new token that is revoked, too, while all requests with it are repetitions.
#[test]
fn a_schedule_whose_renewed_token_is_refused_ends_well() {
    let report = simulate(1, 20_204_504, Some("swift-static")).unwrap();
    assert_eq!(report.failures(), 0, "{report}");
}

/// An overwritten segment that the model no longer listed, an empty image that was there before, and
/// another client whose only byte was that of ours.
#[test]
fn schedules_that_were_false_alarms_end_well() {
    let alarms = [("swift-dynamic", 1_840_351), ("images-s3", 2_625_277), ("call-put", 10_377_842)];
    for (name, seed) in alarms {
        let report = simulate(1, seed, Some(name)).unwrap();
        assert_eq!(report.failures(), 0, "{report}");
    }
}

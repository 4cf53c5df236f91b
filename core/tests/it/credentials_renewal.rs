//! When keys are renewed, which callers wait for it, and what follows from failures.

use apus_core::credentials::{Instance, NoLookup, Process, Source};
use apus_core::error::{ExchangeErrorKind, Kind};

use crate::aws::{Disk, START, Said, Sent, World, lost, metadata, say};

/// Keys of an hour, numbered, at the instance metadata service.
fn instance(mut answer: impl FnMut(usize) -> Option<Said> + 'static) -> World {
    let mut given = 0;
    World::new(Source::Instance(Instance::default()), NoLookup, move |now, sent: &Sent| {
        if sent.is_s3() {
            return say(200, "");
        }
        if sent.url.ends_with("/token") {
            given += 1;
            return answer(given).unwrap_or_else(|| say(200, "TOK"));
        }
        if sent.url.ends_with("/security-credentials/") {
            return say(200, "role\n");
        }
        say(200, metadata(&format!("KEY{given}"), now + 3600))
    })
}

const TOKEN: &str = "http://169.254.169.254/latest/api/token";

#[test]
fn keys_serve_until_a_quarter_of_an_hour_before_their_end() {
    let mut world = instance(|_| None);
    world.ask().unwrap();
    world.pass(2699);
    world.ask().unwrap();
    assert_eq!(world.count(TOKEN), 1);
    world.pass(2);
    // Three questions bring new keys, and no request waits for their answers.
    for _ in 0..4 {
        world.ask().unwrap();
    }
    assert_eq!(world.count(TOKEN), 2);
    let signers: Vec<_> = world.sent.iter().filter_map(Sent::signer).collect();
    assert_eq!(signers, ["KEY1", "KEY1", "KEY1", "KEY1", "KEY1", "KEY2"]);
}

#[test]
fn many_requests_make_one_renewal() {
    let mut world = instance(|_| None);
    assert!(world.ask_many(64).iter().all(Result::is_ok));
    assert_eq!((world.count(TOKEN), world.count("http://s3")), (1, 64));
    // In the last ten minutes all wait for it.
    world.pass(3100);
    assert!(world.ask_many(64).iter().all(Result::is_ok));
    let after: Vec<_> = world.sent.iter().skip(67).filter(|sent| sent.is_s3()).collect();
    assert_eq!((world.count(TOKEN), after.len()), (2, 64));
    assert!(after.iter().all(|sent| sent.signer() == Some("KEY2")));
}

#[test]
fn in_the_five_minutes_before_nobody_waits_for_a_renewal() {
    let mut world = instance(|_| None);
    world.ask().unwrap();
    world.pass(2800);
    world.sent.clear();
    assert!(world.ask_many(8).iter().all(Result::is_ok));
    let count = |key: &str| world.sent.iter().filter(|sent| sent.signer() == Some(key)).count();
    assert_eq!((world.count(TOKEN), count("KEY1"), count("KEY2")), (1, 8, 0));
    // A renewal that was started and not continued is started again.
    world.pass(61);
    world.sent.clear();
    world.ask().unwrap();
    assert_eq!(world.count(TOKEN), 1);
}

#[test]
fn keys_that_live_are_used_while_renewing_fails() {
    let mut world = instance(|given| (given > 1).then(|| lost(ExchangeErrorKind::Timeout)));
    world.ask().unwrap();
    for _ in 0..89 {
        world.pass(40);
        world.ask().unwrap();
    }
    assert!(world.sent.iter().filter_map(Sent::signer).all(|signer| signer == "KEY1"));
    let tries = world.count(TOKEN);
    assert!((10..60).contains(&tries), "{tries}");
    // They are over.
    world.pass(60);
    let error = world.ask().unwrap_err();
    assert_eq!(error.kind(), Kind::Auth);
    assert!(error.to_string().contains("could not obtain credentials"), "{error}");
}

#[test]
fn what_is_refused_as_expired_is_sent_once_more_with_new_keys() {
    for status in [400, 403] {
        let mut given = 0;
        let mut world =
            World::new(Source::Instance(Instance::default()), NoLookup, move |now, sent| {
                if sent.is_s3() {
                    return match sent.signer() {
                        Some("KEY1") => say(
                            status,
                            "<Error><Code>ExpiredToken</Code><Message>expired</Message></Error>",
                        ),
                        _ => say(200, ""),
                    };
                }
                if sent.url.ends_with("/token") {
                    given += 1;
                    return say(200, "TOK");
                }
                if sent.url.ends_with("/security-credentials/") {
                    return say(200, "role");
                }
                say(200, metadata(&format!("KEY{given}"), now + 3600))
            });
        world.ask().unwrap();
        let signers: Vec<_> = world.sent.iter().filter_map(Sent::signer).collect();
        assert_eq!((signers, world.count(TOKEN)), (vec!["KEY1", "KEY2"], 2));
    }
}

#[test]
fn keys_that_are_refused_twice_are_an_error_and_others_may_go_on() {
    let mut given = 0;
    let mut world =
        World::new(Source::Instance(Instance::default()), NoLookup, move |now, sent| match &*sent
            .url
        {
            url if url.starts_with("http://s3") => {
                say(400, "<Error><Code>ExpiredToken</Code></Error>")
            }
            url if url.ends_with("/token") => {
                given += 1;
                say(200, "TOK")
            }
            url if url.ends_with("/security-credentials/") => say(200, "role"),
            _ => say(200, metadata(&format!("KEY{given}"), now + 3600)),
        });
    let error = world.ask().unwrap_err();
    assert_eq!(error.code(), Some("ExpiredToken"));
    assert_eq!((world.count(TOKEN), world.count("http://s3")), (2, 2));
    // No request has succeeded with the second keys.
    world.pass(1);
    world.ask().unwrap_err();
    let signers: Vec<_> = world.sent.iter().filter_map(Sent::signer).collect();
    assert_eq!(signers, ["KEY1", "KEY2", "KEY3", "KEY4"]);
}

#[test]
fn short_lives_and_the_same_keys_again_are_not_asked_for_before_every_request() {
    let mut world = World::new(Source::Instance(Instance::default()), NoLookup, |_, sent| {
        match &*sent.url {
            url if url.starts_with("http://s3") => say(200, ""),
            url if url.ends_with("/token") => say(200, "TOK"),
            url if url.ends_with("/security-credentials/") => say(200, "role"),
            // The service has no newer ones until five minutes before their end.
            _ => say(200, metadata("KEY", START + 900)),
        }
    });
    for _ in 0..500 {
        world.ask().unwrap();
        world.pass(1);
    }
    // Never while more than half of what was left of their life is left yet.
    assert_eq!(world.count(TOKEN), 2);
}

#[test]
fn neither_clock_matters_to_how_long_keys_live() {
    for skew in [86_400, -86_400] {
        let mut world = instance(|_| None);
        world.skew = skew;
        world.ask().unwrap();
        world.pass(2600);
        world.ask().unwrap();
        assert_eq!(world.count(TOKEN), 1, "{skew}");
    }
}

#[test]
fn an_outage_of_the_metadata_service_is_not_one_of_s3() {
    let mut world =
        World::new(Source::Instance(Instance::default()), NoLookup, |now, sent| match &*sent.url {
            url if url.starts_with("http://s3") => say(200, ""),
            url if url.ends_with("/token") => say(200, "TOK"),
            url if url.ends_with("/security-credentials/") => say(200, "role"),
            _ => say(200, metadata("OLD", now - 60)),
        });
    world.ask().unwrap();
    world.pass(100);
    world.ask().unwrap();
    assert_eq!(world.sent.iter().filter_map(Sent::signer).collect::<Vec<_>>(), ["OLD", "OLD"]);
}

#[test]
fn a_process_takes_its_time_and_a_failing_one_is_not_run_for_every_request() {
    let disk = Disk::default().with(
        "vault read",
        r#"{"Version":1,"AccessKeyId":"KEY","SecretAccessKey":"S","SessionToken":"T"}"#,
    );
    *disk.later.lock().unwrap() = 5;
    let process = |command: &str| Source::Process(Process { command: command.to_owned() });
    let mut world = World::new(process("vault read"), disk.clone(), |_, _| say(200, ""));
    assert!(world.ask_many(4).iter().all(Result::is_ok));
    assert_eq!(disk.runs.lock().unwrap().len(), 1);
    assert_eq!(world.sent[0].header("x-amz-security-token"), Some("T"));

    let mut world = World::new(process("nothing"), disk.clone(), |_, _| say(200, ""));
    for _ in 0..100 {
        let error = world.ask().unwrap_err();
        assert!(error.to_string().contains("nothing: it is not there"), "{error}");
    }
    assert_eq!(disk.runs.lock().unwrap().len(), 2);
    world.pass(6);
    world.ask().unwrap_err();
    assert_eq!(disk.runs.lock().unwrap().len(), 3);
}

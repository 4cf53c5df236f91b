//! Many calls at once, with one session of Keystone, one set of keys and one limit; and transfers
//! by trust.

use std::sync::Arc;
use std::time::Duration;

use apus_core::keystone::{self, Scope, TrustSlot};
use apus_core::machine::{
    Auth, Call, Delegation, LargeObject, RateLimits, SwiftUpload, TrustScoped, TrustUse,
    UploadSource,
};
use apus_core::{s3, swift};

use super::s3::{Setup, bytes, model as s3_model, renewed};
use super::swift::{
    INTERVAL, demo, life, model, named, options, present, project, service, session, world,
};
use super::{Outcome, Over, Workload};
use crate::sim::chance::Chance;
use crate::sim::drive::End;
use crate::sim::ends::Source;
use crate::sim::host::Host;
use crate::sim::judge::leaves_open;
use crate::sim::schedule::Schedule;
use crate::sim::world::World;

pub(super) const ALL: &[Workload] = &[
    Workload {
        name: "trust",
        operations: &[
            "CreateTrust",
            "CreateTrust",
            "CreateTrust",
            "ValidateToken",
            "ShowTrust",
            "Authenticate",
            "PutObject",
            "PutSlo",
        ],
        cleanup: &["DeleteTrust", "ListTrusts", "DeleteObject", "BulkDelete"],
        dies: false,
        run: trust,
    },
    Workload {
        name: "one-session",
        operations: &["PutObject", "PutObject", "Authenticate", "Authenticate"],
        cleanup: &[],
        dies: false,
        run: one_session,
    },
    Workload {
        name: "one-limit",
        operations: &["PutObject"],
        cleanup: &[],
        dies: false,
        run: one_limit,
    },
];

fn trust(schedule: &Schedule) -> Over {
    let mut chance = Chance::new(schedule.seed, "trust");
    let length = 1100 + chance.below([500, 2000, 5000, 9000][usize::from(schedule.size.min(3))]);
    let object = bytes(length as usize, schedule.seed);
    let cloud = model(life(&mut chance));
    let mut world = world(schedule, &mut chance, cloud);
    world.cleanup = &["DeleteTrust", "ListTrusts", "DeleteObject", "BulkDelete"];
    world.source = Source::seekable(object.clone());
    let slot = TrustSlot::empty();
    let auths = vec![
        Auth::new(session("demo", project("demo"))),
        Auth::new(session("glance", project("service"))),
        Auth::new(session("glance", Scope::Trust(slot.clone()))),
    ];
    let options = options(&mut chance, Some(LargeObject::Static));
    let source = UploadSource::Seekable(length);
    let inner =
        SwiftUpload::new("images", "object", source, options, service(&mut chance), schedule.seed);
    let inner = inner.expect("it can be");
    let keystone = Arc::new(keystone::Service::default());
    let machine = TrustScoped::new(inner, Delegation::new(slot), keystone, schedule.seed);
    let end = world.run(machine, auths);
    world.tell_time();
    let trusts: Vec<String> =
        world.host.cloud_model().live_trusts().iter().map(|trust| trust.id.clone()).collect();
    world.settle();
    let outcome = match end {
        End::Died => Outcome::Failed,
        End::Done(Ok(done)) => {
            world.must_read(&object);
            let told = named(&done.output.leftovers);
            world.nothing_but(&Default::default(), &told, "it said yes");
            let known = match &done.trust {
                TrustUse::ByTrust { id, leftover: Some(_) } => id.clone(),
                TrustUse::OwnToken { why } if why.outcome_unknown() => trusts.join(" "),
                TrustUse::OwnToken { why } => why.to_string(),
                _ => String::new(),
            };
            no_trust(&mut world, &trusts, &known);
            Outcome::Done
        }
        End::Done(Err(error)) => {
            let mut told = named(error.leftovers());
            if world.record.kept {
                told.extend(present(world.host.cloud_model()));
            }
            world.nothing_but(&Default::default(), &told, &format!("the error is {error}"));
            world.not_read_unless_said(&error, &object);
            let known = match error.outcome_unknown() {
                true => trusts.join(" "),
                false => error.to_string(),
            };
            no_trust(&mut world, &trusts, &known);
            Outcome::of(&error)
        }
    };
    world.in_all(1000, 0);
    Over { world, outcome }
}

/// Checks that no trust is left unnamed: its holder could act in a user's name.
fn no_trust(world: &mut World, live: &[String], told: &str) {
    let left: Vec<&String> = live
        .iter()
        .filter(|id| !told.contains(id.as_str()) && !world.record.late.contains(*id))
        .collect();
    if !left.is_empty() && world.record.lies == 0 {
        world.wrong(format!("trusts {left:?} are left, and what is told is {told:?}"));
    }
}

fn one_session(schedule: &Schedule) -> Over {
    let mut chance = Chance::new(schedule.seed, "one session");
    let many = [3, 6, 12, 24][usize::from(schedule.size.min(3))];
    let life = life(&mut chance);
    let cloud = model(life);
    let mut world = world(schedule, &mut chance, cloud);
    if chance.percent(40) {
        world.rate_limits = Some(Arc::new(RateLimits::new(chance.pick(&[1, 2, 5]))));
        world.counts_places = true;
        // A request that waited for a token and then for a place takes the token as it is.
        world.renews_before = None;
    }
    world.drops_renewal = Chance::new(schedule.seed, "one session, dropped").percent(30);
    let service = service(&mut chance);
    let body = |number: u64| bytes(200 + number as usize, schedule.seed ^ number);
    let machines = (0..many).map(|number| {
        let put = swift::PutObject::new("images", format!("object-{number}"), body(number));
        Call::new(put, service.clone(), schedule.seed ^ number)
    });
    let began = world.now.tick;
    let ends = world.race(machines.collect(), demo());
    world.settle();
    let mut outcome = Outcome::Done;
    for (number, end) in ends.into_iter().enumerate() {
        let name = format!("object-{number}");
        let model = world.host.cloud_model();
        let there = model.object_of("demo", "images", &name).map(|object| object.body.clone());
        let ours = there == Some(body(number as u64));
        match end {
            End::Died => outcome = Outcome::Failed,
            End::Done(Ok(_)) if !ours => world.wrong(format!("it said yes, and {name} is not it")),
            End::Done(Ok(_)) => {}
            End::Done(Err(error)) => {
                outcome = Outcome::of(&error);
                if ours && !leaves_open(&error) && world.record.lies == 0 {
                    world.wrong(format!("{name} is ours, and the error is {error}"));
                }
            }
        }
    }
    let model = world.host.cloud_model();
    let (logins, span) = (model.logins().len() as u64, world.now.tick.saturating_sub(began));
    let good = life.saturating_sub(INTERVAL.as_secs()).max(life / 2).max(1);
    let most = 2 + 2 * span.as_secs() / good + 10 * world.met.len() as u64;
    if logins > most {
        world.wrong(format!("{logins} logins, where {most} are enough"));
    }
    world.in_all(30 * (many + 10), 0);
    Over { world, outcome }
}

fn one_limit(schedule: &Schedule) -> Over {
    let mut chance = Chance::new(schedule.seed, "one limit");
    let setup = Setup::new(&mut chance);
    let many = [3, 6, 12, 24][usize::from(schedule.size.min(3))];
    let mut world = World::new(schedule, Host::s3(s3_model(&mut chance)));
    world.pace = chance.pick(&[1, 1, 60]);
    world.revocable = true;
    let rate_limits = RateLimits::new(chance.pick(&[1, 2, 5]));
    let rate_limits = match chance.percent(20) {
        true => rate_limits.requests_per_second(chance.pick(&[2, 20])),
        false => rate_limits,
    };
    world.rate_limits = Some(Arc::new(rate_limits));
    let body = |number: u64| bytes(200 + number as usize, schedule.seed ^ number);
    let machines = (0..many).map(|number| {
        let put = s3::PutObject::new("bucket", format!("key-{number}"), body(number));
        Call::new(put, setup.service.clone(), schedule.seed ^ number)
    });
    let ends = world.race(machines.collect(), renewed(Duration::from_secs(60), 0));
    world.settle();
    let mut outcome = Outcome::Done;
    for (number, end) in ends.into_iter().enumerate() {
        let key = format!("key-{number}");
        match end {
            End::Died => outcome = Outcome::Failed,
            End::Done(Ok(_)) => world.must_be("bucket", &key, &body(number as u64)),
            End::Done(Err(error)) => {
                outcome = Outcome::of(&error);
                world.not_ours_unless_said(&error, "bucket", &key, &body(number as u64));
            }
        }
    }
    world.in_all(30 * (many + 4), 0);
    Over { world, outcome }
}

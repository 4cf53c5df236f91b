//! How often a session logs in and which callers wait, for different lifetimes of its tokens.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};
use std::time::Duration;

use apus_core::Now;
use apus_core::contract::{Authenticator, Lease, LeaseRequest, Notice};
use apus_core::error::{ExchangeError, ExchangeErrorKind};
use apus_core::http::{Draft, Exchange};
use apus_core::keystone::{Scope, ServiceToken, Session, SessionOptions};
use apus_core::machine::Auth;
use apus_core::waiters::Positions;

use crate::cloud::{Answer, Cloud, Puts, World, interval, land, login, session};

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// So many machines that send a request each quarter of a second, for `lasting` seconds.
fn logins(life: u64, login_takes: Duration, machines: usize, lasting: u32) -> u64 {
    let cloud = Cloud { ttl: secs(life), login_takes, ..Cloud::default() };
    let machines = (0..machines).map(|_| Puts::new(4 * lasting, 1)).collect();
    let demo = Auth::new(session("demo", Scope::Unstated, interval(60)));
    let mut world = World::new(cloud, machines, &[demo]);
    world.takes = Duration::from_millis(250);
    for result in world.run() {
        assert_eq!(result.unwrap().unwrap(), 4 * lasting);
    }
    // The first one comes before the time that the others are counted in.
    let most = 1 + 2 * (world.elapsed().as_secs() + 1) / life;
    let logins = u64::from(world.cloud.logins);
    assert!(logins <= most, "{logins} logins in {:?}, tokens of {life} s", world.elapsed());
    let short = |notice: &&Notice| matches!(notice, Notice::ShortLived { .. });
    let notices = world.notices();
    assert_eq!(notices.iter().filter(short).count(), usize::from(life < 120));
    logins
}

#[test]
fn two_logins_at_most_in_the_life_of_a_token() {
    for (life, lasting) in
        [(2, 10), (3, 10), (20, 60), (59, 200), (61, 200), (100, 300), (121, 300)]
    {
        logins(life, Duration::from_millis(50), 6, lasting);
    }
    // Not by the number of those who share it.
    assert!(logins(2, Duration::from_millis(50), 100, 5) <= 6);
}

#[test]
fn slow_logins_are_no_reason_for_more_of_them() {
    for (life, takes) in [(4, 1), (20, 5), (20, 9), (20, 15), (60, 25)] {
        logins(life, secs(takes), 6, 100);
    }
}

/// A waker that counts.
#[derive(Default)]
struct Bell(AtomicUsize);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// One who asks a session for grants, as a pump does.
struct Asker {
    bell: Arc<Bell>,
    waker: Waker,
    stale: Option<u64>,
    places: Positions,
}

impl Asker {
    fn new() -> Self {
        let bell = Arc::new(Bell::default());
        Self {
            waker: Waker::from(Arc::clone(&bell)),
            bell,
            stale: None,
            places: Positions::default(),
        }
    }

    fn ask(&mut self, session: &mut Session, at: Now) -> Lease {
        let Self { waker, stale, places, .. } = self;
        let lease =
            session.lease(at, &mut LeaseRequest { waker, stale, places, retry_policy: None });
        if let Lease::Granted(_) = lease {
            self.stale = None;
        }
        lease
    }

    fn woken(&self) -> usize {
        self.bell.0.swap(0, Ordering::Relaxed)
    }
}

fn at(seconds: f64) -> Now {
    let tick = crate::cloud::START + Duration::from_secs_f64(seconds);
    Now::new(tick, Cloud::default().epoch + tick)
}

/// What the cloud answers to a login, brought to the session at this time.
fn bring(session: &mut Session, cloud: &mut Cloud, draft: Box<Draft>, sent: Now, at: Now) {
    let mut exchange = Exchange::open(draft, sent, 0);
    let head = exchange.request().unwrap().clone();
    let apus_core::http::Outgoing::Bytes(body) = exchange.outgoing() else { panic!("no body") };
    let body = body.clone();
    let answer = cloud.answer(sent.tick, &head, &body);
    session.renewed(at, land(exchange, answer));
}

/// A session with a token of this life, which came at once.
fn begun(life: u64, options: SessionOptions) -> (Session, Cloud) {
    let mut cloud = Cloud { ttl: secs(life), ..Cloud::default() };
    let mut session = session("demo", Scope::Unstated, options);
    let Lease::Renew(draft) = Asker::new().ask(&mut session, at(0.0)) else { panic!("a token?") };
    bring(&mut session, &mut cloud, draft, at(0.0), at(0.0));
    (session, cloud)
}

#[test]
fn nobody_waits_while_more_than_half_of_its_life_is_left() {
    // All times are whole seconds of the cloud's clock, but for 0.3 at which it stands.
    let (mut session, mut cloud) = begun(20, interval(60));
    for tenths in 0..97 {
        let lease = Asker::new().ask(&mut session, at(f64::from(tenths) / 10.0));
        assert!(matches!(lease, Lease::Granted(_)), "{tenths}: {lease:?}");
    }
    // From half of it on one renews, and the others go on.
    let Lease::Renew(draft) = Asker::new().ask(&mut session, at(10.5)) else {
        panic!("no renewal")
    };
    for tenths in 105..147 {
        let lease = Asker::new().ask(&mut session, at(f64::from(tenths) / 10.0));
        assert!(matches!(lease, Lease::Granted(_)), "{tenths}: {lease:?}");
    }
    // In the last quarter all wait for it.
    let mut late = Asker::new();
    assert!(matches!(late.ask(&mut session, at(15.5)), Lease::Wait(None)));
    bring(&mut session, &mut cloud, draft, at(10.5), at(16.0));
    assert_eq!(late.woken(), 1);
    assert!(matches!(late.ask(&mut session, at(16.0)), Lease::Granted(_)));
    assert!(matches!(Asker::new().ask(&mut session, at(19.0)), Lease::Granted(_)));
}

#[test]
fn a_token_that_was_over_when_it_came_is_good_until_it_is_refused() {
    let mut cloud = Cloud { ttl: secs(2), ..Cloud::default() };
    let mut session = session("demo", Scope::Unstated, interval(60));
    let Lease::Renew(draft) = Asker::new().ask(&mut session, at(0.0)) else { panic!("a token?") };
    bring(&mut session, &mut cloud, draft, at(0.0), at(9.0));
    for second in 9..100 {
        let lease = Asker::new().ask(&mut session, at(f64::from(second)));
        assert!(matches!(lease, Lease::Granted(_)), "{second}: {lease:?}");
    }
    assert_eq!(cloud.logins, 1);
}

/// A session whose first token is asked for by one, and a thousand who wait for it.
fn crowd() -> (Session, Cloud, Box<Draft>, Vec<Asker>) {
    let cloud = Cloud::default();
    let mut session = session("demo", Scope::Unstated, interval(60));
    let Lease::Renew(draft) = Asker::new().ask(&mut session, at(0.0)) else { panic!("a token?") };
    let mut askers: Vec<Asker> = (0..1000).map(|_| Asker::new()).collect();
    for asker in &mut askers {
        // However often it asks.
        for _ in 0..3 {
            assert!(matches!(asker.ask(&mut session, at(0.0)), Lease::Wait(None)));
        }
    }
    (session, cloud, draft, askers)
}

fn woken(askers: &[Asker]) -> Vec<usize> {
    let woken = askers.iter().map(Asker::woken).enumerate();
    woken.flat_map(|(asker, times)| std::iter::repeat_n(asker, times)).collect()
}

#[test]
fn a_new_token_wakes_each_who_waits_once_and_a_renewal_given_up_the_first() {
    let (mut session, mut cloud, draft, mut askers) = crowd();
    let exchange = Exchange::open(draft, at(0.0), 0);
    session.renewed(at(1.0), exchange.fail(ExchangeError::new(ExchangeErrorKind::Cancelled, "")));
    assert_eq!(woken(&askers), [0]);
    let Lease::Renew(draft) = askers[0].ask(&mut session, at(1.0)) else { panic!("no renewal") };
    bring(&mut session, &mut cloud, draft, at(1.0), at(2.0));
    assert_eq!(woken(&askers), (1..1000).collect::<Vec<_>>());
    for asker in &mut askers {
        assert!(matches!(asker.ask(&mut session, at(2.0)), Lease::Granted(_)));
        assert_eq!(asker.places, Positions::default());
    }
    let Lease::Renew(draft) = Asker::new().ask(&mut session, at(290.0)) else { panic!() };
    bring(&mut session, &mut cloud, draft, at(290.0), at(291.0));
    assert!(woken(&askers).is_empty(), "nobody waits any more");
}

#[test]
fn one_who_was_woken_and_is_gone_passes_it_on() {
    let (mut session, _, draft, mut askers) = crowd();
    let exchange = Exchange::open(draft, at(0.0), 0);
    session.leave(askers[1].places);
    assert!(woken(&askers).is_empty(), "a renewal is under way");
    session.renewed(at(1.0), exchange.fail(ExchangeError::new(ExchangeErrorKind::Cancelled, "")));
    assert_eq!(woken(&askers), [0]);
    session.leave(askers[0].places);
    assert_eq!(woken(&askers), [2]);
    assert!(matches!(askers[2].ask(&mut session, at(1.0)), Lease::Renew(_)));
}

#[test]
fn an_attempt_that_fails_wakes_one_and_a_denial_all() {
    let (mut session, mut cloud, draft, mut askers) = crowd();
    cloud.trouble = vec![Answer::new(503)];
    bring(&mut session, &mut cloud, draft, at(0.0), at(1.0));
    assert_eq!(woken(&askers), [0]);
    let Lease::Wait(Some(wait)) = askers[0].ask(&mut session, at(1.0)) else { panic!("no wait") };
    let later = Now::new(wait.until, cloud.epoch + wait.until);
    let Lease::Renew(draft) = askers[0].ask(&mut session, later) else { panic!("no renewal") };
    cloud.trouble = vec![Answer::error(401, "Unauthorized", "no")];
    bring(&mut session, &mut cloud, draft, later, later);
    assert_eq!(woken(&askers), (1..1000).collect::<Vec<_>>());
    assert!(askers.iter_mut().all(|it| matches!(it.ask(&mut session, later), Lease::Denied(_))));
}

#[test]
fn so_it_is_with_the_token_of_a_service() {
    let cloud = Cloud { ttl: secs(4), ..Cloud::default() };
    let service = ServiceToken::new(login("glance", "hunter2", Scope::Unstated), interval(60));
    let user = session("demo", Scope::Unstated, interval(60)).with_service_token(service);
    let machines = (0..20).map(|_| Puts::new(80, 1)).collect();
    let mut world = World::new(cloud, machines, &[Auth::new(user)]);
    world.takes = Duration::from_millis(100);
    assert!(world.run().into_iter().all(|result| result.unwrap().is_ok()));
    // Two tokens, each with its own two logins in four seconds.
    let most = 2 * (1 + 2 * (world.elapsed().as_secs() + 1) / 4);
    assert!(u64::from(world.cloud.logins) <= most, "{} of {most}", world.cloud.logins);
}

#[test]
fn dropped_machines_leave_the_line() {
    for dropped in 0..3 {
        let cloud = Cloud { login_takes: secs(10), ..Cloud::default() };
        let machines = (0..3).map(|_| Puts::new(3, 1)).collect();
        let demo = Auth::new(session("demo", Scope::Unstated, interval(60)));
        let mut world = World::new(cloud, machines, &[demo]);
        world.drop = Some((secs(2), dropped));
        let results = world.run();
        assert_eq!(results.iter().flatten().filter(|result| result.is_ok()).count(), 2);
    }
}

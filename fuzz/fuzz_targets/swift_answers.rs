//! Any answer to any operation of Swift is an output or an error, and no listing runs in a circle.
//!
//! An input is a byte that picks the operation, and an answer as [`message`] has it.
#![no_main]

mod message;

use apus_core::checksum::Algorithm;
use apus_core::contract::{Operation, Service as _};
use apus_core::error::Kind;
use apus_core::http::Reply;
use apus_core::swift::*;
use libfuzzer_sys::fuzz_target;

use self::message::reply;

fuzz_target!(|bytes: &[u8]| {
    let Some((pick, message)) = bytes.split_first() else { return };
    let Some(reply) = reply(message) else { return };
    let service = Service::new(Config::at("https://host/v1/AUTH_a")).expect("a service");
    ask(pick.wrapping_sub(b'A'), &Asked { service, reply });
});

/// An answer, and where it comes from.
struct Asked {
    service: Service,
    reply: Reply,
}

fn ask(pick: u8, asked: &Asked) {
    let (c, o) = ("c", "o");
    // Of a listing: the page after this one can't be followed by the same page again, for pages
    // that go on come to an end.
    macro_rules! pages {
        ($list:expr) => {{
            let list = $list;
            if let Some(page) = asked.parse(&list)
                && let Ok(Some(next)) = list.next(&page)
            {
                assert_ne!(next, list, "the next page is this one");
                assert!(next.next(&page).is_err(), "the same page leads on from itself");
            }
        }};
    }
    let segment = || Segment::Object(ObjectSegment::new(c, "s"));
    match pick % 22 {
        0 => asked.check(&HeadAccount::new()),
        1 => pages!(GetAccount::new()),
        2 => asked.check(&PostAccount::new()),
        3 => asked.check(&PutContainer::new(c)),
        4 => asked.check(&HeadContainer::new(c)),
        5 => pages!(GetContainer::new(c)),
        6 => pages!(GetContainer { reverse: true, ..GetContainer::new(c) }),
        7 => asked.check(&PostContainer::new(c)),
        8 => asked.check(&DeleteContainer::new(c)),
        9 => asked.check(&PutObject::new(c, o, "hello")),
        10 => asked.check(&GetObject::new(c, o)),
        11 => asked.check(&HeadObject::new(c, o)),
        12 => asked.check(&PostObject::new(c, o, Properties::default())),
        13 => asked.check(&CopyObject::new(c, o, c, "p")),
        14 => asked.check(&DeleteObject::new(c, o)),
        15 => asked.check(&PutSlo::new(c, o, vec![segment()])),
        16 => asked.check(&PutSlo { heartbeat: false, ..PutSlo::new(c, o, vec![segment()]) }),
        17 => asked.check(&GetManifest::new(c, o)),
        18 => asked.check(&DeleteSlo::new(c, o)),
        19 => asked.check(&PutDlo::new(c, o, Prefix::new(c, "o/"))),
        20 => asked.check(&BulkDelete::objects(c, [o])),
        _ => asked.check(&GetInfo::new()),
    }
}

impl Asked {
    fn check<O: Operation<Service = Service>>(&self, operation: &O) {
        self.parse(operation);
    }

    /// What the answer says to this operation.
    fn parse<O: Operation<Service = Service>>(&self, operation: &O) -> Option<O::Output> {
        let refused = self.reply.status() == 401 || {
            let draft = operation.draft(&self.service);
            draft.is_ok_and(|draft| draft.tells_refusal.is_some_and(|tells| tells(&self.reply)))
        };
        match operation.parse(&self.service, &self.reply) {
            Ok(output) => {
                assert!(self.reply.status().is_success(), "an output of a refusal");
                assert!(!refused, "an output where the token was refused");
                let computed = Algorithm::Md5.digest(b"hello").ok();
                let _ = operation.confirm(&output, computed.as_slice());
                Some(output)
            }
            Err(error) => {
                assert_ne!(
                    error.kind(),
                    Kind::InvalidInput,
                    "it is not the caller's fault: {error}"
                );
                let line = format!("{error} {error:?}");
                assert!(!line.contains('\n'), "an error is one line: {line}");
                self.service.judge(&error, operation.idempotency());
                None
            }
        }
    }
}

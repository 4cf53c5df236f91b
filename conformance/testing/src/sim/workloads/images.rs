//! The work of an image service: images stored, read and removed, and stored locations migrated.

use std::collections::BTreeMap;

use apus_core::checksum::Algorithm;
use apus_core::machine::UploadSource;
use apus_core::store::config::{Configuration, OsloConfig, Reference};
use apus_core::store::{
    Add, Applied, Get, Job, LocationTable, Migration, StoreError, StoredImage, Stores,
};

use super::s3::{bytes, model, unlike};
use super::swift;
use super::{Outcome, Over, Workload};
use crate::server::S3Model;
use crate::sim::chance::Chance;
use crate::sim::drive::End;
use crate::sim::ends::Source;
use crate::sim::host::Host;
use crate::sim::judge::{SECRET, leaves_open};
use crate::sim::schedule::Schedule;
use crate::sim::world::World;

pub(super) const ALL: &[Workload] = &[
    Workload {
        name: "images-s3",
        operations: &["PutObject", "PutObject", "HeadObject", "GetObject", "DeleteObject"],
        cleanup: &[],
        dies: false,
        run: in_s3,
    },
    Workload {
        name: "images-swift",
        operations: &[
            "PutObject",
            "PutObject",
            "HeadObject",
            "GetObject",
            "DeleteObject",
            "Authenticate",
        ],
        cleanup: &[],
        dies: false,
        run: in_swift,
    },
    Workload {
        name: "rows",
        operations: &["GetObject", "HeadObject"],
        cleanup: &[],
        dies: false,
        run: rows,
    },
];

const ID: &str = "fdae39a1-bac5-4238-aba4-69bcc726e848";

fn s3_stores(chance: &mut Chance) -> Stores {
    let provider = chance.pick(&["aws", "other"]);
    let text = format!(
        "[DEFAULT]\nenabled_backends = fast:s3\n[glance_store]\ndefault_backend = fast\n[fast]\n\
         s3_store_host = http://s3.test:9000\ns3_store_provider = {provider}\n\
         s3_store_bucket_url_format = path\ns3_store_access_key = AKIDFAST\n\
         s3_store_secret_key = {SECRET}\ns3_store_bucket = bucket\n"
    );
    stores(&text, &BTreeMap::new())
}

fn swift_stores() -> Stores {
    let text = "[DEFAULT]\nenabled_backends = cold:swift\n[glance_store]\ndefault_backend = cold\n\
                [cold]\nswift_store_config_file = /swift.conf\nswift_store_container = images\n\
                default_swift_reference = ref1\n";
    let file = "[ref1]\nauth_address = http://keystone.test:5000/v3\nuser = demo:demo\n\
                key = demo-secret\n";
    let references = Reference::read_all("/swift.conf", file).expect("it can be read");
    stores(text, &BTreeMap::from([("/swift.conf".to_owned(), references)]))
}

fn stores(text: &str, files: &BTreeMap<String, BTreeMap<String, Reference>>) -> Stores {
    let config = OsloConfig::parse([("glance-api.conf", text)]).expect("it can be read");
    let config = Configuration::of_oslo(&config).expect("it fits together");
    Stores::new(&config, files).expect("it fits together")
}

fn job<T: 'static>(world: &mut World, job: Job<T>) -> Option<Result<T, StoreError>> {
    let verb = job.verb;
    match world.run(job.machine, job.auths) {
        End::Died => None,
        End::Done(result) => Some(result.map_err(|error| verb.error(error))),
    }
}

fn in_s3(schedule: &Schedule) -> Over {
    let mut chance = Chance::new(schedule.seed, "images");
    let stores = s3_stores(&mut chance);
    let length = chance.below([100, 1000, 4000, 20_000][usize::from(schedule.size.min(3))]);
    let image = bytes(length as usize, schedule.seed);
    let mut server = model(&mut chance);
    if chance.percent(20) {
        server = server.with_object("bucket", ID, unlike(&[&image], 4));
    }
    let world = World::new(schedule, Host::s3(server));
    let there = |world: &World| -> Option<Vec<u8>> {
        let object = world.host.s3_model().object("bucket", ID);
        object.map(|object| object.body.to_vec())
    };
    life(schedule, chance, stores, world, &image, &there)
}

fn in_swift(schedule: &Schedule) -> Over {
    let mut chance = Chance::new(schedule.seed, "images");
    let stores = swift_stores();
    let length = chance.below([100, 1000, 4000, 20_000][usize::from(schedule.size.min(3))]);
    let image = bytes(length as usize, schedule.seed);
    let cloud = swift::model(swift::life(&mut chance));
    let world = swift::world(schedule, &mut chance, cloud);
    let there = |world: &World| world.host.cloud_model().content_of("demo", "images", ID);
    life(schedule, chance, stores, world, &image, &there)
}

/// Stores, reads and removes an image.
fn life(
    schedule: &Schedule,
    mut chance: Chance,
    stores: Stores,
    mut world: World,
    image: &bytes::Bytes,
    there: &dyn Fn(&World) -> Option<Vec<u8>>,
) -> Over {
    world.source = Source::seekable(image.clone());
    let before = there(&world);
    let source = match chance.percent(40) {
        true => UploadSource::Stream(None),
        false => UploadSource::Seekable(image.len() as u64),
    };
    let add = Add::new(ID).with_hash(Algorithm::Sha256);
    let add = match stores.add(None, &add, source, schedule.seed) {
        Ok(add) => add,
        Err(error) => {
            world.wrong(format!("it can't be begun: {error}"));
            return Over { world, outcome: Outcome::Failed };
        }
    };
    let placed = match job(&mut world, add) {
        Some(Ok(placed)) => placed,
        other => {
            world.settle();
            let outcome = match other {
                None => Outcome::Failed,
                Some(Err(error)) => {
                    let protocol = error.protocol();
                    let ours =
                        there(&world).as_deref() == Some(image) && before.as_deref() != Some(image);
                    let told = leaves_open(protocol) || !protocol.leftovers().is_empty();
                    if ours && !told && world.record.lies == 0 && world.record.acted_late == 0 {
                        world.wrong(format!("the image is stored, and the error is {error}"));
                    }
                    Outcome::of(protocol)
                }
                Some(Ok(_)) => Outcome::Done,
            };
            world.in_all(80, 1 << 30);
            return Over { world, outcome };
        }
    };
    if there(&world).as_deref() != Some(image) {
        world.wrong("it said that the image is stored, and it is not");
    } else if let Some(before) = &before
        && !world.record.looked_in_vain
    {
        // After a lost response, an equal image from before can't be distinguished: an empty one.
        let equal = before[..] == image[..] && !world.met.is_empty();
        if !equal || world.record.carried_out.contains("PutObject") {
            world.wrong("an image was replaced");
        }
    }
    let row = StoredImage::new(placed.url.clone(), Some(placed.store.as_str()));
    let mut outcome = Outcome::Done;
    let get = Get { concurrency: chance.pick(&[1, 4]), ..Get::default() };
    if let (Ok(access), true) =
        (stores.get(&row, &get, schedule.seed), world.record.wrong.is_empty())
    {
        match job(&mut world, access.outcome) {
            Some(Ok(got)) => {
                world.delivered(image);
                if got.bytes != image.len() as u64 {
                    world.wrong(format!("it says that {} bytes came", got.bytes));
                }
            }
            Some(Err(error)) => outcome = Outcome::of(error.protocol()),
            None => outcome = Outcome::Failed,
        }
    }
    if let (Ok(access), true) = (stores.delete(&row, schedule.seed), world.record.wrong.is_empty())
    {
        match job(&mut world, access.outcome) {
            Some(Ok(())) => {
                world.settle();
                // A request from before the removal may be applied after it.
                if there(&world).is_some() && world.record.acted_late == 0 && world.record.lies == 0
                {
                    world.wrong("it said that the image is removed, and it is there");
                }
            }
            Some(Err(error)) => outcome = Outcome::of(error.protocol()),
            None => outcome = Outcome::Failed,
        }
    }
    world.settle();
    world.in_all(200, 1 << 30);
    Over { world, outcome }
}

/// The table of locations of an image service.
struct Table(BTreeMap<u64, (String, Option<String>)>);

impl LocationTable for Table {
    type Row = u64;
    type Error = std::convert::Infallible;

    fn compare_and_swap(&mut self, at: &u64, migration: &Migration) -> Result<bool, Self::Error> {
        let was = (migration.was.expose().to_owned(), migration.was_store.clone());
        let same = self.0.get(at) == Some(&was);
        if same {
            self.0.insert(*at, (migration.url.clone(), Some(migration.store.clone())));
        }
        Ok(same)
    }
}

/// Reads old locations, which several processes migrate at once.
fn rows(schedule: &Schedule) -> Over {
    let mut chance = Chance::new(schedule.seed, "rows");
    let stores = s3_stores(&mut chance);
    let many = 1 + u64::from(schedule.size);
    let content = |number: u64| bytes(20 + number as usize, schedule.seed ^ number);
    let mut server: S3Model = model(&mut chance);
    let mut table = Table(BTreeMap::new());
    for number in 0..many {
        let key = format!("image-{number}");
        server = server.with_object("bucket", &key, content(number));
        let url = match chance.below(3) {
            0 => format!("s3://AKIDOLD:{SECRET}@s3.test:9000/bucket/{key}"),
            1 => format!("s3+http://AKIDOLD:{SECRET}@s3.test:9000/bucket/{key}"),
            _ => format!("s3://s3.test:9000/bucket/{key}"),
        };
        table.0.insert(number, (url, chance.pick(&[None, Some("fast")]).map(str::to_owned)));
    }
    let mut world = World::new(schedule, Host::s3(server));
    let mut outcome = Outcome::Done;
    if chance.percent(30) {
        // No backend names this server, and the keys are not its own.
        let url = format!("s3+http://AKIDOLD:{SECRET}@elsewhere.test:9000/bucket/image-0");
        let row = StoredImage::new(url, None);
        if stores.access(&row).is_ok() {
            world.wrong("a location with keys for a server that no backend names is accepted");
        }
        if let Ok(access) = stores.get(&row, &Get::default(), schedule.seed) {
            let _ = job(&mut world, access.outcome);
        }
    }
    for number in 0..many {
        let (url, store) = table.0[&number].clone();
        let row = StoredImage::new(url.clone(), store.as_deref());
        let access = match stores.get(&row, &Get::default(), schedule.seed ^ number) {
            Ok(access) => access,
            Err(error) => {
                world.wrong(format!("row {number} is refused: {error}"));
                break;
            }
        };
        world.sink = Default::default();
        match job(&mut world, access.outcome) {
            None => break,
            Some(Ok(_)) => world.delivered(&content(number)),
            Some(Err(error)) => outcome = Outcome::of(error.protocol()),
        }
        let raced = chance.percent(30);
        if raced {
            // Another process was first.
            table.0.insert(number, ("s3://s3.test:9000/bucket/elsewhere".into(), None));
        }
        if let Some(migration) = access.migration {
            let applied = migration.apply(&mut table, &number).expect("a map can't fail");
            if (applied == Applied::Raced) != raced {
                world.wrong(format!("row {number}: {applied:?}, and raced: {raced}"));
            }
        }
        let now = table.0[&number].clone();
        if !raced && now.0.contains(SECRET) {
            world.wrong(format!("row {number} has credentials still"));
        }
        let again = stores.access(&StoredImage::new(now.0, now.1.as_deref()));
        if !raced && again.is_ok_and(|access| access.migration.is_some()) {
            world.wrong(format!("row {number} is migrated twice"));
        }
    }
    world.settle();
    world.in_all(30 * many, 0);
    Over { world, outcome }
}

//! Access to images in an S3 bucket by their location: which credentials are sent where, and how
//! the location changes.

use apus_core::checksum::Algorithm;
use apus_core::credentials::Credentials;
use apus_core::error::ExchangeErrorKind;
use apus_core::machine::Auth;
use apus_core::s3::ByteRange;
use apus_core::sign::Keys;
use apus_core::store::{
    Acls, Applied, Get, LocationTable, Migration, StoreErrorKind, StoredImage, Stores, Verb,
};

use crate::images::{fast, header, image, kind, row, run, settled, signer, stores, unknown};
use crate::support::{Answer, stored};

#[test]
fn an_image_is_read_whole_or_in_part_and_a_cut_is_gone_on_with() {
    let stores = fast("");
    let object = stored::Stored::new(5000);
    let mut cuts = [Some(1000), None].into_iter();
    let get = Get { digests: vec![Algorithm::Md5], ..Get::default() };
    let got = run(settled(stores.get(&image(), &get, 1)), |head, _| {
        assert_eq!(signer(head).as_deref(), Some("AKFAST"));
        let answer = object.answer(head);
        match cuts.next().flatten() {
            Some(after) => answer.cut(after),
            None => answer,
        }
    });
    assert_eq!(got.requests, ["GET /images/id", "GET /images/id bytes=1000-"]);
    assert_eq!(got.sink, object.bytes);
    let got = got.result.unwrap();
    assert_eq!((got.size, got.bytes), (Some(5000), 5000));
    let md5 = Algorithm::Md5.digest(&object.bytes).unwrap();
    assert_eq!(got.digests.value(Algorithm::Md5), Some(&md5));
    let get = Get { range: Some(ByteRange::Span(10..20)), ..Get::default() };
    let got = run(settled(stores.get(&image(), &get, 1)), |head, _| object.answer(head));
    assert_eq!(got.requests, ["GET /images/id bytes=10-19"]);
    assert_eq!(got.sink, object.bytes[10..20]);
    assert_eq!(got.result.unwrap().size, Some(5000));
}

#[test]
fn one_request_tells_the_size() {
    let job = settled(fast("").size(&image(), 1));
    let size = run(job, |_, _| Answer::new(200).header("content-length", 12345));
    assert_eq!((size.result.unwrap(), &*size.requests), (12345, &["HEAD /images/id".into()][..]));
    for (status, expected) in [
        (404, StoreErrorKind::NotFound),
        (403, StoreErrorKind::Forbidden),
        (500, StoreErrorKind::BackendUnavailable),
    ] {
        let job = settled(fast("").size(&image(), 1));
        let result = run(job, |_, _| Answer::new(status)).result;
        assert_eq!(kind(Verb::Size, result), expected, "{status}");
    }
}

/// A HEAD of an absent object is 404, or 403 to who may not list the bucket: "HeadObject", S3 API
/// reference.
#[test]
fn who_is_not_told_does_not_know_whether_an_image_exists() {
    let exists = |status| {
        let job = settled(fast("").exists(&image(), 1));
        run(job, |_, _| Answer::new(status)).result
    };
    assert!(exists(200).unwrap());
    assert!(!exists(404).unwrap());
    assert_eq!(kind(Verb::Exists, exists(403)), StoreErrorKind::Forbidden);
}

#[test]
fn what_is_removed_must_be_there() {
    let delete = |stores: &Stores, look, answer: Answer| {
        let mut condition = None;
        let done = run(settled(stores.delete(&image(), 1)), |head, _| {
            if head.method == "HEAD" {
                return Answer::new(look);
            }
            condition = header(head, "if-match").map(str::to_owned);
            answer.clone()
        });
        let requests = done.requests.join(", ");
        (done.result.map_err(|error| Verb::Delete.error(error).kind()), requests, condition)
    };
    let both = "HEAD /images/id, DELETE /images/id";
    let gone = Answer::new(204);
    assert_eq!(delete(&fast(""), 200, gone.clone()), (Ok(()), both.into(), None));
    let missing = (Err(StoreErrorKind::NotFound), "HEAD /images/id".into(), None);
    assert_eq!(delete(&fast(""), 404, gone.clone()), missing);
    // Who may not list is not told by HEAD. Where conditions are heeded, the DELETE tells.
    let star = Some("*".to_owned());
    assert_eq!(delete(&fast(""), 403, gone.clone()), (Ok(()), both.into(), star.clone()));
    let absent = Answer::error(412, "PreconditionFailed");
    let told = (Err(StoreErrorKind::NotFound), both.into(), star);
    assert_eq!(delete(&fast(""), 403, absent), told);
    assert_eq!(delete(&unknown(""), 403, gone), (Ok(()), both.into(), None));
    let denied = delete(&unknown(""), 403, Answer::error(403, "AccessDenied"));
    assert_eq!(denied.0, Err(StoreErrorKind::Forbidden));
}

#[test]
fn an_image_that_the_lost_answer_removed_is_removed() {
    let mut lost = Some(ExchangeErrorKind::Closed);
    let done = run(settled(fast("").delete(&image(), 1)), |head, _| match lost {
        _ if head.method == "HEAD" => Answer::new(403),
        Some(cause) => {
            lost = None;
            Answer::lost(cause)
        }
        None => Answer::error(412, "PreconditionFailed"),
    });
    assert!(done.result.is_ok());
    assert_eq!(done.requests, ["HEAD /images/id", "DELETE /images/id", "DELETE /images/id"]);
}

const TWO: &str = "\
[DEFAULT]
enabled_backends = fast:s3, cold:s3
[glance_store]
default_backend = fast
[fast]
s3_store_host = https://h:9000/gw
s3_store_bucket = images
s3_store_access_key = AKFAST
s3_store_secret_key = secret
s3_store_trusted_hosts = elsewhere:9000
[cold]
s3_store_host = http://h
s3_store_bucket = images
s3_store_access_key = AKCOLD
s3_store_secret_key = secret
";

/// Where a request for the size of a row goes, who signs it, over whose connection; and the migration.
fn asked(
    stores: &Stores,
    stored: &StoredImage,
) -> (String, Option<String>, String, Option<Migration>) {
    let access = stores.size(stored, 1).unwrap();
    let (backend, mut asked) = (access.outcome.backend.clone(), None);
    let size = run(access.outcome, |head, _| {
        asked = Some((head.uri.to_string(), signer(head)));
        Answer::new(200).header("content-length", 5)
    });
    assert_eq!(size.result.unwrap(), 5);
    let (uri, signer) = asked.unwrap();
    (uri, signer, backend, access.migration)
}

#[test]
fn credentials_go_where_they_are_meant_for() {
    let stores = stores(TWO);
    for (url, store, uri, signer, via) in [
        // The backend that the row names.
        ("s3://h/images/k", Some("cold"), "http://h/images/k", "AKCOLD", "cold"),
        (
            "s3+https://h:9000/gw/images/k",
            Some("fast"),
            "https://h:9000/gw/images/k",
            "AKFAST",
            "fast",
        ),
        // An old location's own, at a server that is configured.
        ("s3://OLD:s/e@h/images/k", Some("cold"), "http://h/images/k", "OLD", "cold"),
        ("s3://OLD:s@h/others/k", None, "http://h/others/k", "OLD", "cold"),
        // And at one that is trusted, over the connection of the backend that trusts it.
        (
            "s3+https://OLD:s@elsewhere:9000/b/k",
            Some("cold"),
            "https://elsewhere:9000/b/k",
            "OLD",
            "fast",
        ),
    ] {
        let (asked, signed, over, _) = asked(&stores, &row(url, store));
        assert_eq!((&*asked, signed.as_deref(), &*over), (uri, Some(signer), via), "{url}");
    }
    // The verbs agree, and none sends anything of the configuration's elsewhere.
    for url in ["s3://evil/images/k", "s3://OLD:s@evil/images/k"] {
        let stored = row(url, Some("cold"));
        let errors = [
            stores.get(&stored, &Get::default(), 1).err(),
            stores.size(&stored, 1).err(),
            stores.exists(&stored, 1).err(),
            stores.delete(&stored, 1).err(),
            stores.access(&stored).err(),
        ];
        for error in errors {
            let error = error.unwrap();
            assert_eq!(error.kind(), StoreErrorKind::BadStoreUri);
            assert!(error.to_string().contains("s3_store_trusted_hosts"), "{error}");
        }
    }
    // A caller may allow all hosts, and says over which connection.
    let allowing = stores.with_foreign_hosts("cold").unwrap();
    let (uri, signed, over, migration) = asked(&allowing, &row("s3://OLD:s@evil/images/k", None));
    assert_eq!((&*uri, signed.as_deref(), &*over), ("http://evil/images/k", Some("OLD"), "cold"));
    assert_eq!(migration, None);
    let error = allowing.size(&row("s3://evil/images/k", None), 1).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::BadStoreUri);
}

#[test]
fn every_kind_of_refusal_says_what_to_do() {
    let twice = TWO.replace("https://h:9000/gw", "http://h");
    for (config, url, expected, says) in [
        (TWO, "s3://h/images", StoreErrorKind::BadStoreUri, "key"),
        (TWO, "s3://evil/images/k", StoreErrorKind::BadStoreUri, "evil"),
        (&*twice, "s3://h/images/k", StoreErrorKind::UnknownStore, "(cold, fast)"),
        (TWO, "s3://h/other/k", StoreErrorKind::UnknownStore, "\"other\""),
    ] {
        let error = stores(config).size(&row(url, None), 1).unwrap_err();
        assert_eq!(error.kind(), expected, "{url}");
        let text = error.to_string();
        assert!(text.contains(says) && !text.contains('\n'), "{text}");
    }
}

#[test]
fn all_verbs_migrate_alike_and_the_second_time_not_at_all() {
    let stores = stores(TWO);
    let old = row("s3://OLD:s/e@h/images/k", None);
    let migration = stores.access(&old).unwrap().migration.unwrap();
    assert_eq!((&*migration.url, &*migration.store), ("s3://h/images/k", "cold"));
    assert_eq!((migration.was.expose(), migration.was_store.as_deref()), (old.url.expose(), None));
    assert!(migration.credentials_found);
    for other in [
        stores.get(&old, &Get::default(), 1).unwrap().migration,
        stores.size(&old, 1).unwrap().migration,
        stores.exists(&old, 1).unwrap().migration,
        stores.delete(&old, 1).unwrap().migration,
    ] {
        assert_eq!(other.as_ref(), Some(&migration));
    }
    let (_, signer, _, again) = asked(&stores, &row(&migration.url, Some(&migration.store)));
    assert_eq!((signer.as_deref(), again), (Some("AKCOLD"), None));
}

#[test]
fn rotated_keys_need_no_new_locations() {
    let new = row("s3://h/images/k", Some("cold"));
    let (_, signer, _, migration) = asked(&stores(TWO), &new);
    assert_eq!((signer.as_deref(), migration), (Some("AKCOLD"), None));
    let rotated = stores(&TWO.replace("AKCOLD", "AKNEW").replace("= secret", "= other"));
    let (_, signer, _, migration) = asked(&rotated, &new);
    assert_eq!((signer.as_deref(), migration), (Some("AKNEW"), None));
}

#[test]
fn a_single_store_names_its_entry_on_migration() {
    let stores = stores(
        "[glance_store]\nstores = s3\ndefault_store = s3\ns3_store_host = http://h\n\
         s3_store_bucket = images\ns3_store_access_key = AK\ns3_store_secret_key = S\n",
    );
    let (_, signer, _, migration) = asked(&stores, &row("s3://OLD:s@h/images/k", None));
    let migration = migration.unwrap();
    assert_eq!((&*migration.url, &*migration.store), ("s3://h/images/k", "s3"));
    assert_eq!(signer.as_deref(), Some("OLD"));
}

#[test]
fn another_source_of_credentials_takes_the_place_of_keys() {
    let auth = Auth::new(Credentials::new(Keys::new("AKROLE", "secret")));
    let stores = stores(TWO).with_auth("cold", auth).unwrap();
    let (_, signer, ..) = asked(&stores, &row("s3://h/images/k", Some("cold")));
    assert_eq!(signer.as_deref(), Some("AKROLE"));
    let auth = Auth::new(Credentials::anonymous());
    let error = stores.with_auth("none", auth).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::UnknownStore);
}

#[test]
fn images_in_s3_have_no_lists_of_their_own() {
    let error = fast("").set_acls(&image(), &Acls::default(), 1).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::NotSupported);
}

/// One row of a table.
struct Row(StoredImage);

impl LocationTable for Row {
    type Row = ();
    type Error = std::convert::Infallible;

    fn compare_and_swap(&mut self, (): &(), migration: &Migration) -> Result<bool, Self::Error> {
        let is_same = self.0.url == migration.was && self.0.store == migration.was_store;
        if is_same {
            self.0 = row(&migration.url, Some(&migration.store));
        }
        Ok(is_same)
    }
}

#[test]
fn a_lost_race_leaves_the_winners_row() {
    let stores = stores(TWO);
    let mut table = Row(row("s3://OLD:s@h/images/k", None));
    let migration = stores.access(&table.0).unwrap().migration.unwrap();
    assert_eq!(migration.apply(&mut table, &()), Ok(Applied::Replaced));
    assert_eq!(table.0, row("s3://h/images/k", Some("cold")));
    // Another reader with the same migration, and one whose row was removed and made anew.
    assert_eq!(migration.apply(&mut table, &()), Ok(Applied::Raced));
    assert_eq!(table.0, row("s3://h/images/k", Some("cold")));
    assert_eq!(stores.access(&table.0).unwrap().migration, None);
}

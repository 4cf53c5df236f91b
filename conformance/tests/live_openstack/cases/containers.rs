//! The account and its containers.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use apus_core::Error;
use apus_core::swift::{
    ContainerSettings, DeleteContainer, GetAccount, GetContainer, HeadAccount, HeadContainer,
    PostAccount, PostContainer, PutContainer, PutObject,
};

use super::refused;
use crate::site::Server;
use crate::stage::{Stage, sweep};
use crate::suite::Case;

pub const CASES: &[Case] = &[
    Case::ok("HeadAccount", head_account),
    Case::ok("PostAccount", post_account),
    Case::ok("GetAccount", get_account),
    // Ceph has neither; and of a page it takes out what has another prefix.
    Case::keystone("GetAccount with prefix, end_marker, reverse, delimiter", get_account_more),
    Case::ok("PutContainer, HeadContainer", put),
    Case::keystone("PutContainer with a storage policy", put_policy),
    Case::ok("PostContainer", post),
    // Ceph lists quotas in /info, and sets none.
    Case::keystone("a container's quota", quota),
    Case::ok("GetContainer", list),
    Case::ok("GetContainer with end_marker", list_end),
    // Ceph lists forward nevertheless.
    Case::keystone("GetContainer with reverse", list_reverse),
    Case::ok("GetContainer with a delimiter", list_delimiter),
    Case::ok("DeleteContainer", delete),
    Case::ok("names of containers", odd_names),
];

fn head_account(stage: &Stage<'_>) -> Result<(), Error> {
    let head = stage.call(HeadAccount::new())?;
    assert!(head.container_count.is_some() && head.object_count.is_some());
    assert!(head.bytes_used.is_some() && head.trans_id.is_some());
    Ok(())
}

fn post_account(stage: &Stage<'_>) -> Result<(), Error> {
    // Other places do the same to the same account at the same time.
    let name = format!("{}-{}", stage.place.transport as u8, stage.place.scheme());
    let set = PostAccount {
        metadata: [(name.clone(), "value ü".to_owned())].into(),
        ..PostAccount::new()
    };
    stage.call(set)?;
    assert_eq!(stage.call(HeadAccount::new())?.metadata[&name], "value ü");
    let remove = PostAccount { remove_metadata: vec![name.clone()], ..PostAccount::new() };
    stage.call(remove)?;
    assert!(!stage.call(HeadAccount::new())?.metadata.contains_key(&name));
    Ok(())
}

/// Three containers, listed page by page, are removed again.
fn get_account(stage: &Stage<'_>) -> Result<(), Error> {
    with_containers(stage, |prefix, names| {
        let mut found = Vec::new();
        let mut list = Some(GetAccount { limit: Some(2), ..GetAccount::new() });
        while let Some(page) = list {
            let answer = stage.call(page.clone())?;
            assert!(answer.containers.len() <= 2);
            found.extend(answer.containers.iter().map(|listed| listed.name.clone()));
            list = page.next(&answer)?;
        }
        found.retain(|name: &String| name.starts_with(&prefix));
        assert_eq!(found, names);
        Ok(())
    })
}

fn get_account_more(stage: &Stage<'_>) -> Result<(), Error> {
    with_containers(stage, |prefix, names| {
        let all = || GetAccount { prefix: Some(prefix.clone()), ..GetAccount::new() };
        let list = |get: GetAccount| -> Result<Vec<String>, Error> {
            let answer = stage.call(get)?;
            Ok(answer.containers.iter().map(|listed| listed.name.clone()).collect())
        };
        assert_eq!(list(all())?, names);
        let end_marker = Some(names[2].clone());
        assert_eq!(list(GetAccount { end_marker, ..all() })?, names[..2]);
        let reversed: Vec<String> = names.iter().rev().cloned().collect();
        assert_eq!(list(GetAccount { reverse: true, ..all() })?, reversed);
        let rolled = stage.call(GetAccount { delimiter: Some(".".into()), ..all() })?;
        assert_eq!((rolled.subdirs.len(), rolled.containers.len()), (1, 0));
        Ok(())
    })
}

fn with_containers(
    stage: &Stage<'_>,
    check: impl FnOnce(String, &[String]) -> Result<(), Error>,
) -> Result<(), Error> {
    let prefix = format!("{}-listed", stage.container);
    let names = ["a", "b", "c"].map(|end| format!("{prefix}.{end}"));
    for name in &names {
        stage.call(PutContainer::new(name))?;
    }
    let result = catch_unwind(AssertUnwindSafe(|| check(prefix, &names)));
    for name in &names {
        stage.call(DeleteContainer::new(name))?;
    }
    result.unwrap_or_else(|panic| resume_unwind(panic))
}

fn put(stage: &Stage<'_>) -> Result<(), Error> {
    let name = format!("{}-put", stage.container);
    let put = PutContainer {
        settings: ContainerSettings {
            metadata: [("sensor".to_owned(), "left ü".to_owned())].into(),
            ..ContainerSettings::default()
        },
        ..PutContainer::new(&name)
    };
    assert!(stage.call(put.clone())?.created);
    assert!(!stage.call(put)?.created);
    stage.call(PutObject::new(&name, "object", "12345"))?;
    let head = stage.call(HeadContainer::new(&name))?;
    assert_eq!((head.object_count, head.bytes_used), (Some(1), Some(5)));
    assert_eq!(head.metadata["sensor"], "left ü");
    assert!(head.storage_policy.is_some());
    sweep(&stage.store, &name)
}

fn put_policy(stage: &Stage<'_>) -> Result<(), Error> {
    let name = format!("{}-policy", stage.container);
    let with = |policy: &str| PutContainer {
        storage_policy: Some(policy.into()),
        ..PutContainer::new(&name)
    };
    assert_eq!(stage.call(with("silver"))?.storage_policy.as_deref().unwrap_or("silver"), "silver");
    let policy = stage.call(HeadContainer::new(&name))?.storage_policy;
    stage.call(PutObject::new(&name, "object", "on silver"))?;
    let another = stage.call(with("gold"));
    let unknown = stage.call(with("tin"));
    sweep(&stage.store, &name)?;
    assert_eq!(policy.as_deref(), Some("silver"));
    refused(another, 409);
    refused(unknown, 400);
    Ok(())
}

fn post(stage: &Stage<'_>) -> Result<(), Error> {
    let post =
        |settings| stage.call(PostContainer { settings, ..PostContainer::new(&stage.container) });
    let items = [("one".to_owned(), "1".to_owned()), ("two".to_owned(), "2".to_owned())];
    post(ContainerSettings { metadata: items.into(), ..ContainerSettings::default() })?;
    post(ContainerSettings {
        remove_metadata: vec!["one".into()],
        ..ContainerSettings::default()
    })?;
    let head = stage.call(HeadContainer::new(&stage.container))?;
    assert_eq!((head.metadata.get("one"), &*head.metadata["two"]), (None, "2"));
    refused(stage.call(PostContainer::new("apus-missing")), 404);
    Ok(())
}

fn quota(stage: &Stage<'_>) -> Result<(), Error> {
    let name = format!("{}-quota", stage.container);
    let settings = ContainerSettings { quota_bytes: Some(10), ..ContainerSettings::default() };
    stage.call(PutContainer { settings, ..PutContainer::new(&name) })?;
    let set = stage.call(HeadContainer::new(&name))?.quota_bytes;
    let small = stage.call(PutObject::new(&name, "small", "1234567890"));
    let large = stage.call(PutObject::new(&name, "large", "12345678901"));
    sweep(&stage.store, &name)?;
    small?;
    assert_eq!(set, Some(10));
    refused(large, 413);
    Ok(())
}

/// `0` to `9` under `list/`.
fn listed(stage: &Stage<'_>) -> Result<GetContainer, Error> {
    for number in 0..10 {
        stage.call(PutObject::new(&stage.container, format!("list/{number}"), vec![0; number]))?;
    }
    let prefix = Some("list/".into());
    Ok(GetContainer { prefix, ..GetContainer::new(&stage.container) })
}

fn numbers(stage: &Stage<'_>, get: GetContainer) -> Result<String, Error> {
    let answer = stage.call(get)?;
    Ok(answer.objects().map(|object| &object.name[5..]).collect())
}

fn list(stage: &Stage<'_>) -> Result<(), Error> {
    let all = listed(stage)?;
    let answer = stage.call(all.clone())?;
    let nine = answer.objects().last().expect("ten of them");
    assert_eq!((&*nine.name, nine.bytes), ("list/9", Some(9)));
    assert!(nine.hash.is_some() && nine.last_modified.is_some());
    // Ceph knows one only where one was given.
    assert!(nine.content_type.is_some() || stage.site.server == Server::Ceph);
    let mut found = String::new();
    let mut list = Some(GetContainer { limit: Some(3), ..all.clone() });
    let mut pages = 0;
    while let Some(page) = list {
        let answer = stage.call(page.clone())?;
        found.extend(answer.objects().map(|object| &object.name[5..]));
        list = page.next(&answer)?;
        pages += 1;
    }
    assert_eq!(found, "0123456789");
    assert!(pages >= 4);
    let marker = Some("list/7".into());
    assert_eq!(numbers(stage, GetContainer { marker, ..all.clone() })?, "89");
    let none = GetContainer { prefix: Some("nothing".into()), ..all };
    assert!(stage.call(none)?.entries.is_empty());
    refused(stage.call(GetContainer::new("apus-missing")), 404);
    Ok(())
}

fn list_end(stage: &Stage<'_>) -> Result<(), Error> {
    let all = listed(stage)?;
    let end_marker = Some("list/3".into());
    assert_eq!(numbers(stage, GetContainer { end_marker, ..all })?, "012");
    Ok(())
}

fn list_reverse(stage: &Stage<'_>) -> Result<(), Error> {
    let all = GetContainer { reverse: true, ..listed(stage)? };
    let page = GetContainer { limit: Some(4), ..all };
    let answer = stage.call(page.clone())?;
    assert_eq!(numbers(stage, page.clone())?, "9876");
    let next = page.next(&answer)?.expect("there are more");
    assert_eq!(numbers(stage, next)?, "5432");
    Ok(())
}

fn list_delimiter(stage: &Stage<'_>) -> Result<(), Error> {
    for name in ["d/a", "d/b/1", "d/b/2", "d/c/1", "d/d"] {
        stage.call(PutObject::new(&stage.container, name, ""))?;
    }
    let get = GetContainer {
        prefix: Some("d/".into()),
        delimiter: Some("/".into()),
        ..GetContainer::new(&stage.container)
    };
    let answer = stage.call(get.clone())?;
    let names: Vec<&str> = answer.entries.iter().map(|entry| entry.name()).collect();
    assert_eq!(names, ["d/a", "d/b/", "d/c/", "d/d"]);
    assert_eq!(answer.subdirs().collect::<Vec<_>>(), ["d/b/", "d/c/"]);
    // One entry a page: what leads on from a rolled up name is not in it.
    let mut names = Vec::new();
    let mut list = Some(GetContainer { limit: Some(1), ..get });
    while let Some(page) = list {
        let answer = stage.call(page.clone())?;
        names.extend(answer.entries.iter().map(|entry| entry.name().to_owned()));
        list = page.next(&answer)?;
        assert!(names.len() < 10, "{names:?}");
    }
    assert_eq!(names, ["d/a", "d/b/", "d/c/", "d/d"]);
    Ok(())
}

fn delete(stage: &Stage<'_>) -> Result<(), Error> {
    let name = format!("{}-delete", stage.container);
    stage.call(PutContainer::new(&name))?;
    stage.call(PutObject::new(&name, "in the way", ""))?;
    let full = stage.call(DeleteContainer::new(&name));
    sweep(&stage.store, &name)?;
    refused(full, 409);
    refused(stage.call(DeleteContainer::new(&name)), 404);
    Ok(())
}

fn odd_names(stage: &Stage<'_>) -> Result<(), Error> {
    // Ceph takes for a container what S3 takes for a bucket.
    let names: &[&str] = match stage.site.server {
        Server::Swift => &["ü c", "..", "a+b%2F", "?c"],
        Server::Ceph => &["with.dots"],
    };
    for name in names {
        let name = format!("{name}-{}", stage.container);
        stage.call(PutContainer::new(&name))?;
        stage.call(PutObject::new(&name, "object", "bytes"))?;
        let prefix = Some(name.clone());
        let listed = stage.call(GetAccount { prefix, ..GetAccount::new() })?;
        assert_eq!(listed.containers.len(), 1, "{name}");
        sweep(&stage.store, &name)?;
    }
    Ok(())
}

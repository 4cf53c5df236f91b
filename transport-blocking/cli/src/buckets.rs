//! `apus mb` and `apus rb`: create and remove buckets and containers.

use apus_core::s3;
use apus_core::swift;
use serde_json::json;

use crate::Stage;
use crate::exit::{Exit, Failure};
use crate::objects::Objects;
use crate::output::Printable;
use crate::place::Place;

/// Creates a bucket or a container: the backend's own one, unless a name is given.
pub(crate) fn mb(stage: &Stage, name: Option<&str>) -> Result<Exit, Failure> {
    let open = stage.open()?;
    let place = Place::of_backend(open.backend()?);
    let objects = open.objects(open.backend()?)?;
    let name = match name {
        Some(name) => name.to_owned(),
        None => objects.own()?,
    };
    let at = |error| Failure::from(error).at(&place.clone().in_container(&name));
    let existed = match &objects {
        Objects::S3(bucket, _) => {
            bucket.call(s3::CreateBucket::new(&name)).map_err(at)?;
            false
        }
        Objects::Swift(account, _) => {
            !account.call(swift::PutContainer::new(&name)).map_err(at)?.created
        }
    };
    if existed {
        let what = format!("container {name:?} exists already");
        return Err(Failure::new(Exit::Duplicate, what));
    }
    stage
        .output
        .result(&json!({ "created": name }), format_args!("created {}", Printable(&name)))?;
    Ok(Exit::Done)
}

/// Removes a bucket or a container, which has to be empty.
pub(crate) fn rb(stage: &Stage, name: &str) -> Result<Exit, Failure> {
    let open = stage.open()?;
    let place = Place::of_backend(open.backend()?).in_container(name);
    let removed = match open.objects(open.backend()?)? {
        Objects::S3(bucket, _) => bucket.call(s3::DeleteBucket::new(name)),
        Objects::Swift(account, _) => account.call(swift::DeleteContainer::new(name)),
    };
    removed.map_err(|error| {
        let failure = Failure::from(error).at(&place);
        match failure.status {
            // "BucketNotEmpty", and the same of Swift.
            Some(409) => Failure {
                exit: Exit::Other,
                message: format!("{}: `apus rm --recursive --all` empties it", failure.message),
                ..failure
            },
            _ => failure,
        }
    })?;
    stage
        .output
        .result(&json!({ "removed": name }), format_args!("removed {}", Printable(name)))?;
    Ok(Exit::Done)
}

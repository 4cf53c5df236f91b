//! `apus stat`: shows the properties of objects.

use apus_core::location::{S3Location, SwiftLocation};
use apus_core::s3;
use apus_core::store::StoreBackend;
use apus_core::swift;
use clap::Args;
use serde_json::{Value, json};

use crate::Stage;
use crate::exit::{Exit, Failure};
use crate::many::{self, Many};
use crate::open::Open;
use crate::output::Printable;

#[derive(Debug, Args)]
pub(crate) struct Stat {
    #[command(flatten)]
    which: Many,
}

/// Shows the properties of each object, and continues after one that fails.
pub(crate) fn run(stage: &Stage, stat: &Stat) -> Result<Exit, Failure> {
    let open = stage.open()?;
    many::each(
        &open,
        stage.output,
        &stat.which,
        AT_ONCE,
        |name| one(&open, name),
        |_, (told, text)| stage.output.result(&told, text),
    )
}

/// Returns the properties of one object, and their text.
fn one(open: &Open, location: &str) -> Result<(Value, String), Failure> {
    let stored = open.stored(location)?;
    let access = open.stores.core().access(&stored)?;
    let address = access.outcome;
    let mut told = json!({
        "url": address.url,
        "backend": address.backend,
        "migrates": access.migration.is_some(),
    });
    let backend = match address.backend.as_deref().filter(|_| !address.own_credentials) {
        Some(id) => Some(open.named(id)?),
        None => None,
    };
    match backend {
        Some(StoreBackend::S3(store)) => {
            let (location, _) = S3Location::parse(&address.url, &[store.options().place()?])?;
            let head = s3::HeadObject::new(location.bucket(), location.key());
            let head = open.bucket(store)?.call(head).map_err(open.at(&stored))?;
            told["size"] = json!(head.size);
            told["etag"] = json!(head.etag.map(|etag| etag.to_string()));
            told["modified"] = json!(head.last_modified.map(|at| at.iso8601()));
            told["content_type"] = json!(head.content_type);
            told["metadata"] = json!(head.metadata);
            told["storage_class"] = json!(head.storage_class);
        }
        Some(StoreBackend::Swift(store)) => {
            let (location, _) = SwiftLocation::parse(&address.url, &[])?;
            let head = swift::HeadObject::new(location.container(), location.object());
            let head = open.account(store)?.call(head).map_err(open.at(&stored))?;
            told["size"] = json!(head.size);
            told["etag"] = json!(head.etag.as_ref().map(|etag| etag.to_string()));
            told["modified"] = json!(head.last_modified.map(|at| at.iso8601()));
            told["content_type"] = json!(head.content_type);
            told["metadata"] = json!(head.metadata);
            told["large_object"] = json!(head.is_large());
        }
        _ => told["size"] = json!(open.stores.size(&stored).map_err(open.at(&stored))?.outcome),
    }
    let mut text = Vec::new();
    for (name, value) in told.as_object().into_iter().flatten() {
        let shown = match value {
            serde_json::Value::Null => continue,
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        text.push(format!("{:<13} {}", format!("{name}:"), Printable(&shown)));
    }
    Ok((told, text.join("\n")))
}

/// How many objects are requested at once.
const AT_ONCE: usize = 8;

//! What earlier uploads of an object have left on the server, where no state of them was kept: a killed
//! `put` without `--resume`, or one of another machine.

use std::collections::BTreeMap;

use apus_core::now::Timestamp;
use apus_core::s3::ListMultipartUploads;
use apus_core::store::StoreBackend;
use apus_core::swift::GetContainer;

use crate::open::Open;
use crate::orphans;

/// Returns what there is, each as a sentence. Nothing where the list can't be read, because an upload
/// needs no permission to read it.
pub(crate) fn earlier(open: &Open, backend: &StoreBackend, id: &str) -> Vec<String> {
    match backend {
        StoreBackend::S3(store) => {
            let Ok(bucket) = open.bucket(store) else { return Vec::new() };
            let mut list = ListMultipartUploads::new(&bucket.name);
            list.prefix = Some(id.to_owned());
            let page = bucket.call(list);
            let uploads = page.map(|page| page.uploads).unwrap_or_default();
            let own = uploads.into_iter().filter(|upload| upload.key == id);
            let told = own.map(|upload| {
                let begun = upload.initiated.map(Timestamp::iso8601);
                let begun = begun.map_or(String::new(), |begun| format!(", begun {begun}"));
                format!(
                    "multipart upload {} of {}/{id}{begun}; to abort it: uploads abort {id} --yes",
                    upload.upload_id, bucket.name
                )
            });
            told.collect()
        }
        StoreBackend::Swift(store) => {
            let Ok(account) = open.account(store) else { return Vec::new() };
            let container = match store.options().swift_store_multi_tenant {
                true => store.options().tenant_container(id),
                false => store.options().container(id),
            };
            let mut list = GetContainer::new(&container);
            list.prefix = Some(id.to_owned());
            let Ok(page) = account.call(list) else { return Vec::new() };
            let mut uploads: BTreeMap<String, usize> = BTreeMap::new();
            for object in page.objects() {
                if object.name == id {
                    // The segments are its own.
                    return Vec::new();
                }
                if let Some(prefix) = orphans::prefix_of(&object.name, id) {
                    *uploads.entry(prefix).or_default() += 1;
                }
            }
            let told = uploads.into_iter().map(|(prefix, count)| {
                format!(
                    "{count} segments {container}/{prefix}…; to remove them: orphans {id} --yes"
                )
            });
            told.collect()
        }
        _ => Vec::new(),
    }
}

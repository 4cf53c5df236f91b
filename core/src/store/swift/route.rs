//! The actions on the object of a location.

use std::sync::Arc;

use super::SwiftStore;
use super::authorization::Authorization;
use super::remove::Removing;
use super::size::Sizing;
use crate::error::Error;
use crate::machine::{Call, DownloadOptions, SwiftDelete, SwiftDeleteOptions, SwiftDownload};
use crate::store::error::{StoreError, StoreErrorKind};
use crate::store::image::{Acls, Address, Get, GetResult, TenantContext};
use crate::store::job::Job;
use crate::store::migration::{SwiftAccess, SwiftAuthorization};
use crate::store::verb::Verb;
use crate::swift::{Acl, AclEntry, GetObject, HeadObject, PostContainer};

/// A Swift object, the backend whose connection reaches it, and the credentials.
pub(in crate::store) struct SwiftRoute<'a> {
    store: &'a SwiftStore,
    access: SwiftAccess,
}

impl<'a> SwiftRoute<'a> {
    pub(in crate::store) fn new(store: &'a SwiftStore, access: SwiftAccess) -> Self {
        Self { store, access }
    }

    pub(in crate::store) fn address(&self) -> Address {
        Address {
            url: self.access.location.to_string(),
            backend: self.access.backend.clone(),
            own_credentials: matches!(self.access.right, SwiftAuthorization::Own(_)),
        }
    }

    pub(in crate::store) fn get(
        &self,
        get: &Get,
        tenant: Option<&TenantContext>,
        seed: u64,
    ) -> Result<Job<GetResult>, StoreError> {
        let location = &self.access.location;
        let mut object = GetObject::new(location.container(), location.object());
        object.range.clone_from(&get.range);
        let retries = self.store.options.swift_store_retry_get_count;
        let retries = u32::try_from(retries).unwrap_or(u32::MAX);
        let options = DownloadOptions {
            concurrency: get.concurrency.max(1),
            digests: get.digests.clone(),
            size: get.size,
            expected: get.expected.clone(),
            ..DownloadOptions::default().with_retries(retries)
        };
        let machine = SwiftDownload::new(object, Arc::clone(&self.store.service), options, seed);
        let job = self.rights(tenant)?.job(self.store, Verb::Get, machine, retries > 0, seed);
        Ok(job.map(|read| {
            let read = read?;
            if !read.end_is_certain {
                let what = "can't determine whether the image is complete: neither the server nor \
                            the caller stated its size";
                return Err(Error::invalid_response(what).in_operation("GetObject"));
            }
            let (size, verdict) = (read.head.size, read.validation);
            Ok(GetResult { size, bytes: read.bytes, digests: read.digests, validation: verdict })
        }))
    }

    pub(in crate::store) fn size(
        &self,
        tenant: Option<&TenantContext>,
        seed: u64,
    ) -> Result<Job<u64>, StoreError> {
        let machine = Sizing::new(self.head(), Arc::clone(&self.store.service), seed);
        self.short(Verb::Size, machine, tenant)
    }

    pub(in crate::store) fn exists(
        &self,
        tenant: Option<&TenantContext>,
        seed: u64,
    ) -> Result<Job<bool>, StoreError> {
        let machine = Call::new(self.head(), Arc::clone(&self.store.service), seed);
        Ok(self.short(Verb::Exists, machine, tenant)?.map(|head| match head {
            Ok(_) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }))
    }

    pub(in crate::store) fn delete(
        &self,
        tenant: Option<&TenantContext>,
        seed: u64,
    ) -> Result<Job<()>, StoreError> {
        let (store, location) = (self.store, &self.access.location);
        let container = location.container();
        let concurrency =
            usize::try_from(store.options.swift_store_thread_pools).unwrap_or(usize::MAX);
        let options = SwiftDeleteOptions { concurrency, ..SwiftDeleteOptions::default() };
        let service = Arc::clone(&store.service);
        let machine = SwiftDelete::new(container, location.object(), service, options, seed);
        // A container for one image has this name.
        let is_its_own = self.access.right == SwiftAuthorization::User
            && container == store.options.tenant_container(location.object());
        if !is_its_own {
            return Ok(self.short(Verb::Delete, machine, tenant)?.map(|gone| gone.map(drop)));
        }
        let service = Arc::clone(&store.service);
        let machine = Removing::new(container.to_owned(), machine, service, seed);
        self.short(Verb::Delete, machine, tenant)
    }

    /// Sets the ACLs as glance_store does: a public image can be read by everybody with a token,
    /// but not without one.
    pub(in crate::store) fn set_acls(
        &self,
        acls: &Acls,
        tenant: Option<&TenantContext>,
        seed: u64,
    ) -> Result<Job<()>, StoreError> {
        if self.access.right != SwiftAuthorization::User {
            let what =
                "access rights require a multi-tenant store: a single-tenant store has one account";
            let error = Error::invalid_input(what);
            return Err(StoreError::of_kind(StoreErrorKind::NotSupported, error));
        }
        let everybody = AclEntry::User { project: "*".to_owned(), user: "*".to_owned() };
        let admins = &self.store.options.swift_store_admin_tenants;
        let mut post = PostContainer::new(self.access.location.container());
        post.settings.read_acl = Some(match acls.public {
            true => Acl::default().with(everybody),
            false => Acl::projects(&acls.read),
        });
        post.settings.write_acl = Some(Acl::projects(acls.write.iter().chain(admins)));
        self.short(Verb::SetAcls, Call::new(post, Arc::clone(&self.store.service), seed), tenant)
    }

    fn head(&self) -> HeadObject {
        let location = &self.access.location;
        HeadObject::new(location.container(), location.object())
    }

    /// Makes a job that ends before a token expires.
    fn short<M>(
        &self,
        verb: Verb,
        machine: M,
        tenant: Option<&TenantContext>,
    ) -> Result<Job<M::Output>, StoreError>
    where
        M: crate::contract::Machine + Send + 'static,
        M::Output: Send + 'static,
    {
        Ok(self.rights(tenant)?.for_short().job(self.store, verb, machine, false, 0))
    }

    fn rights(&self, tenant: Option<&TenantContext>) -> Result<Authorization, StoreError> {
        let SwiftAccess { location, right, .. } = &self.access;
        match right {
            SwiftAuthorization::Reference(name) => {
                Ok(Authorization::of_one(self.store.party_of(name)?))
            }
            SwiftAuthorization::Own(found) => {
                Authorization::of_location(self.store, location, found)
            }
            SwiftAuthorization::User => {
                Authorization::of_user(self.store, tenant, Some(location)).map(|(rights, _)| rights)
            }
        }
    }
}

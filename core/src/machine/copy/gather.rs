//! What a copy in parts takes from its source by requests of its own, before it begins: the tags, and
//! the names of the annotations. CopyObject copies both by itself.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::NotCopied;
use crate::contract::{Machine, Notice, OnFailure, Operation, Step};
use crate::error::{Error, Kind};
use crate::http::Completion;
use crate::machine::Call;
use crate::machine::compose::{nest, seed};
use crate::now::Now;
use crate::s3::{
    AnnotationDirective, CommonParams, CopyObject, Directive, GetObjectTagging,
    ListObjectAnnotations, ObjectHead, Service, Tags,
};

/// What was found at the source.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    /// The tags of the copy.
    pub(super) tags: Tags,
    /// The names of the annotations to copy.
    pub(super) annotations: Vec<String>,
    /// What can't be read.
    pub(super) not_copied: Vec<NotCopied>,
}

/// Reads the tags of the source and the names of its annotations, as far as the directives ask for.
#[derive(Debug)]
pub(super) struct Gather {
    tags: Option<GetObjectTagging>,
    annotations: Option<ListObjectAnnotations>,
    /// Whether the source has tags for certain.
    has_tags: bool,
    /// Whether the caller asks for the tags, or the annotations, by a directive.
    asked: (bool, bool),
    service: Arc<Service>,
    auth: usize,
    seed: u64,
    slot: u32,
    phase: Phase,
    found: Gathered,
    notices: VecDeque<Notice>,
}

#[derive(Debug)]
enum Phase {
    /// The next request, if any.
    Next,
    Tags(Box<Call<GetObjectTagging>>),
    Annotations(Box<Call<ListObjectAnnotations>>),
}

impl Gather {
    pub(super) fn new(
        copy: &CopyObject,
        head: &ObjectHead,
        service: Arc<Service>,
        auth: usize,
        seed: u64,
    ) -> Self {
        let source = &copy.source;
        let common = source_common(copy);
        let copies_tags = copy.tagging_directive != Some(Directive::Replace);
        let tags = copies_tags.then(|| {
            let mut get = GetObjectTagging::new(&source.bucket, &source.key);
            get.version_id.clone_from(&source.version_id);
            get.common.clone_from(&common);
            get
        });
        let supported = service.config().quirks.annotations;
        let copies_annotations = match copy.annotation_directive {
            Some(AnnotationDirective::Copy) => true,
            Some(AnnotationDirective::Exclude) => false,
            None => supported,
        };
        // An object that is encrypted with a customer-provided key has none.
        let may_have = source.customer_key.is_none();
        let annotations = (copies_annotations && may_have).then(|| {
            let mut list = ListObjectAnnotations::new(&source.bucket, &source.key);
            list.version_id.clone_from(&source.version_id);
            list.common = common;
            list
        });
        let found = Gathered {
            tags: if copies_tags { Tags::default() } else { copy.properties.tagging.clone() },
            ..Gathered::default()
        };
        Self {
            tags,
            annotations,
            has_tags: head.tag_count.is_some_and(|count| count > 0),
            asked: (
                copy.tagging_directive == Some(Directive::Copy),
                copy.annotation_directive == Some(AnnotationDirective::Copy),
            ),
            service,
            auth,
            seed,
            slot: 0,
            phase: Phase::Next,
            found,
            notices: VecDeque::new(),
        }
    }

    fn call<O: Operation<Service = Service>>(&mut self, operation: O) -> Box<Call<O>> {
        self.slot += 1;
        let seed = seed(self.seed, self.slot);
        Box::new(Call::new(operation, Arc::clone(&self.service), seed).with_auth(self.auth))
    }

    /// Goes on without what can't be read, where the caller has not asked for it.
    fn without(&mut self, what: NotCopied, error: Error, needed: bool) -> Result<(), Error> {
        if is_unsupported(&error) && !needed {
            return Ok(());
        }
        let final_answer = match error.kind() {
            Kind::Refused => error.is_lasting_refusal(),
            // Not the document: the server ignores the sub-resource and sends the object, which may
            // be larger than a document is read.
            Kind::InvalidResponse | Kind::InvalidInput => true,
            _ => false,
        };
        if needed || !final_answer || error.is_not_found() {
            return Err(error.with_hint(match what {
                NotCopied::Tags => {
                    "permit reading the tags of the source, or set `tagging_directive` to `Replace`"
                }
                _ => {
                    "permit reading the annotations of the source, or set `annotation_directive` \
                     to `Exclude`"
                }
            }));
        }
        self.found.not_copied.push(what);
        self.notices.push_back(Notice::NotCopied { what: what.name(), error });
        Ok(())
    }

    fn listed(&mut self, page: crate::s3::ListObjectAnnotationsOutput) -> Result<(), Error> {
        if let Some(list) = self.annotations.take() {
            self.annotations = list.next(&page)?;
        }
        let names = page.annotations.into_iter().map(|entry| entry.annotation_name);
        self.found.annotations.extend(names);
        if self.found.annotations.len() > MOST {
            return Err(Error::invalid_response(format!(
                "the list of annotations has more than {MOST} names"
            )));
        }
        if self.slot > MOST_REQUESTS {
            return Err(Error::invalid_response(format!(
                "the list of annotations does not end after {MOST_REQUESTS} pages"
            )));
        }
        Ok(())
    }
}

impl Machine for Gather {
    type Output = Gathered;

    fn poll(&mut self, now: Now) -> Step<Gathered> {
        loop {
            let result = match &mut self.phase {
                Phase::Next => {
                    self.phase = if let Some(tags) = self.tags.take() {
                        Phase::Tags(self.call(tags))
                    } else if let Some(list) = self.annotations.clone() {
                        Phase::Annotations(self.call(list))
                    } else {
                        return Step::Done(Ok(std::mem::take(&mut self.found)));
                    };
                    continue;
                }
                Phase::Tags(call) => match nest(call.poll(now), SLOT) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(Ok(got)) => {
                        self.found.tags = got.tags;
                        Ok(())
                    }
                    ControlFlow::Continue(Err(error))
                        if error.code() == Some("NoSuchTagSet") && !self.has_tags =>
                    {
                        Ok(())
                    }
                    ControlFlow::Continue(Err(error)) => {
                        let needed = self.has_tags || self.asked.0;
                        self.without(NotCopied::Tags, error, needed)
                    }
                },
                Phase::Annotations(call) => match nest(call.poll(now), SLOT) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(Ok(page)) => self.listed(page),
                    ControlFlow::Continue(Err(error)) => {
                        self.annotations = None;
                        // Some were listed already: the source has annotations for certain.
                        let needed = self.asked.1 || !self.found.annotations.is_empty();
                        self.without(NotCopied::Annotations, error, needed)
                    }
                },
            };
            self.phase = Phase::Next;
            if let Err(error) = result {
                return Step::Done(Err(error));
            }
        }
    }

    fn complete(&mut self, now: Now, mut done: Completion) {
        match (done.route(), &mut self.phase) {
            (Some(SLOT), Phase::Tags(call)) => call.complete(now, done),
            (Some(SLOT), Phase::Annotations(call)) => call.complete(now, done),
            _ => {}
        }
    }

    fn cancel(&mut self, now: Now, on_failure: OnFailure) {
        match &mut self.phase {
            Phase::Tags(call) => call.cancel(now, on_failure),
            Phase::Annotations(call) => call.cancel(now, on_failure),
            Phase::Next => {}
        }
    }

    fn notice(&mut self) -> Option<Notice> {
        self.notices.pop_front()
    }
}

/// Returns the common parameters of requests on the source.
pub(super) fn source_common(copy: &CopyObject) -> CommonParams {
    CommonParams {
        expected_bucket_owner: copy.source.expected_bucket_owner.clone(),
        request_payer: copy.common.request_payer.clone(),
    }
}

/// Returns whether the server has no such operation: then the source has nothing of the kind.
fn is_unsupported(error: &Error) -> bool {
    matches!(error.status().map(|status| status.as_u16()), Some(405 | 501))
        || matches!(error.code(), Some("NotImplemented" | "MethodNotAllowed"))
}

const SLOT: u32 = 0;

/// An object has at most 1,000 annotations ("PutObjectAnnotation", S3 API reference); beyond this
/// many names the copy fails.
const MOST: usize = 10_000;
/// How many requests are made at most: one more than an object has annotations, and one for the tags.
const MOST_REQUESTS: u32 = 1_002;

//! Operations on objects.

mod annotation;
mod attributes;
mod copy_object;
mod copy_source;
mod delete_object;
mod delete_objects;
mod get_object;
mod head;
mod head_object;
mod list_annotations;
mod lock;
mod put_object;
mod rename_object;
mod response_overrides;
mod tagging;

pub use self::annotation::{
    DeleteObjectAnnotation, DeleteObjectAnnotationOutput, GetObjectAnnotation,
    GetObjectAnnotationOutput, PutObjectAnnotation, PutObjectAnnotationOutput,
};
pub use self::attributes::{
    GetObjectAttributes, GetObjectAttributesOutput, ObjectAttribute, ObjectPart, ObjectParts,
};
pub use self::copy_object::{AnnotationDirective, CopyObject, CopyObjectOutput, Directive};
pub use self::copy_source::CopySource;
pub use self::delete_object::{DeleteObject, DeleteObjectOutput};
pub use self::delete_objects::{
    DeleteError, DeleteObjects, DeleteObjectsOutput, DeletedObject, ObjectIdentifier,
};
pub use self::get_object::{GetObject, GetObjectOutput};
pub use self::head::{ObjectHead, Stored};
pub use self::head_object::HeadObject;
pub(in crate::s3) use self::head_object::proven;
pub use self::list_annotations::{
    AnnotationEntry, ListObjectAnnotations, ListObjectAnnotationsOutput,
};
pub use self::lock::{
    EventHoldDuration, GetObjectLegalHold, GetObjectRetention, PutObjectLegalHold,
    PutObjectRetention, Retention,
};
pub use self::put_object::PutObject;
pub use self::rename_object::RenameObject;
pub use self::response_overrides::ResponseOverrides;
pub use self::tagging::{
    DeleteObjectTagging, GetObjectTagging, GetObjectTaggingOutput, PutObjectTagging,
};

//! The image store against simulated servers: the verbs of an image service, and what they store.

mod cloud;
mod rows;
mod s3;
mod shop;
mod swift;
mod tenants;

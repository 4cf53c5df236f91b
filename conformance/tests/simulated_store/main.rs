//! The image store against simulated servers: what an image service asks of it, and what it leaves
//! there.

mod cloud;
mod rows;
mod s3;
mod shop;
mod swift;
mod tenants;

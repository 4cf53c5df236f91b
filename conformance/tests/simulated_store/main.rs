//! The image store against simulated servers: what an image service asks of it, and what it leaves
//! there.

mod rows;
mod s3;
mod shop;

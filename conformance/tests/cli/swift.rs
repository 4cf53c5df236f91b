//! The verbs on Swift.

use apus_conformance::server::{EmbeddedOpenStack, OpenStackModel};

use crate::program::Program;

#[test]
fn a_container_is_listed() {
    let model = OpenStackModel::new().with_container("glance", "images");
    let cloud = EmbeddedOpenStack::start(model).unwrap();
    let program = Program::new().with_swift("cold", &cloud, "images");
    program.run(&["ls"]).ends(0);
    program.run(&["stat", "none"]).ends(3);
}

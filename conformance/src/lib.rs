//! Conformance of apus.

//! OpenStack Swift's operations as plain data.

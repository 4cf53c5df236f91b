//! Keystone: who we are to Swift, and the token that proves it.

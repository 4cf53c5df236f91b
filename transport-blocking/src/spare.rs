//! Buffers that are used again.

use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

/// The buffers of a source that are free. The pieces of a part are read by one thread and dropped by
/// another, where an allocator that has memory for each thread keeps more than is in use.
#[derive(Default)]
pub(crate) struct Spare(Mutex<Vec<Vec<u8>>>);

impl Spare {
    /// Returns a buffer of `length` bytes, with any content.
    pub(crate) fn take(&self, length: usize) -> Vec<u8> {
        let mut free = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut buffer = free.pop().unwrap_or_default();
        drop(free);
        buffer.resize(length, 0);
        buffer
    }

    /// Returns the bytes of a buffer, which is free when the last of their views is dropped.
    pub(crate) fn lend(self: &Arc<Self>, buffer: Vec<u8>) -> Bytes {
        Bytes::from_owner(Lent { buffer, spare: Arc::clone(self) })
    }
}

struct Lent {
    buffer: Vec<u8>,
    spare: Arc<Spare>,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.buffer
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let buffer = mem::take(&mut self.buffer);
        self.spare.0.lock().unwrap_or_else(PoisonError::into_inner).push(buffer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_used_again_when_its_last_view_is_dropped() {
        let spare = Arc::new(Spare::default());
        let mut buffer = spare.take(5);
        buffer.copy_from_slice(b"hello");
        let place = buffer.as_ptr();
        let mut bytes = spare.lend(buffer);
        let first = bytes.split_to(2);
        drop(bytes);
        let other = spare.take(5);
        assert_ne!(other.as_ptr(), place);
        assert_eq!(first, "he");
        drop(first);
        let again = spare.take(3);
        assert_eq!((again.as_ptr(), again.len()), (place, 3));
    }
}

//! Which bytes of a file a read needs, by the file's own metadata.

use std::ops::Range;

use object_store::OBJECT_STORE_COALESCE_DEFAULT;
use parquet::file::metadata::ParquetMetaData;

/// Where the footer begins: the last 4 bytes are `PAR1`, and those before them its length.
pub fn footer_length(last: &[u8]) -> u64 {
    assert_eq!(&last[4..], b"PAR1", "the file has no footer");
    u64::from(u32::from_le_bytes(last[..4].try_into().expect("four bytes")))
}

/// The requests of `get_byte_ranges` for these columns of a row group: their chunks, of which those
/// are read together that are at most 1 MiB apart.
pub fn chunks(metadata: &ParquetMetaData, group: usize, columns: &[usize]) -> Vec<Range<u64>> {
    let mut merged: Vec<Range<u64>> = Vec::new();
    for column in columns {
        let (start, length) = metadata.row_group(group).column(*column).byte_range();
        match merged.last_mut() {
            Some(last) if start - last.end <= OBJECT_STORE_COALESCE_DEFAULT => {
                last.end = start + length;
            }
            _ => merged.push(start..start + length),
        }
    }
    merged
}

/// The page index of all columns, which the writer puts in one place behind the last row group.
pub fn page_index(metadata: &ParquetMetaData) -> Range<u64> {
    let chunks = metadata.row_groups().iter().flat_map(|group| group.columns());
    let spans = chunks.flat_map(|chunk| {
        [
            (chunk.column_index_offset(), chunk.column_index_length()),
            (chunk.offset_index_offset(), chunk.offset_index_length()),
        ]
    });
    let spans = spans.map(|(offset, length)| {
        let start = offset.expect("an index of each chunk") as u64;
        start..start + u64::from(length.expect("its length").unsigned_abs())
    });
    spans.reduce(|all, one| all.start.min(one.start)..all.end.max(one.end)).expect("chunks")
}

/// The page of a column chunk that has this row of its row group.
pub fn page(metadata: &ParquetMetaData, group: usize, column: usize, row: i64) -> Range<u64> {
    let index = metadata.page_index_for_row_group(group);
    let pages = index.offset_index(column).expect("the offset index was read").page_locations();
    let at = pages.partition_point(|page| page.first_row_index <= row) - 1;
    let start = pages[at].offset as u64;
    start..start + u64::from(pages[at].compressed_page_size.unsigned_abs())
}

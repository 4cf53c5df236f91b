//! Writes a Parquet file of 200 MB, on S3 and on Swift, and reads columns, row groups and single pages
//! of it. The requests for its bytes are compared with what the file's own metadata says.
//!
//! `cargo run` in this directory, a workspace of its own. The servers are in memory.

mod layout;
mod reader;

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::ops::Range;
use std::sync::Arc;

use apus_async::keystone::{Domain, Scope, Session, User};
use apus_async::{Client, Keys, s3, swift};
use apus_object_store::v0_14::{S3Store, SwiftStore};
use apus_testing::server::{EmbeddedOpenStack, FaultyS3, OpenStackModel, Request, S3Model};
use arrow_array::{Array, Int64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use futures_util::TryStreamExt;
use object_store::buffered::BufWriter;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::arrow_reader::{ArrowReaderOptions, RowSelection, RowSelector};
use parquet::arrow::{AsyncArrowWriter, ParquetRecordBatchStreamBuilder, ProjectionMask};
use parquet::file::metadata::PageIndexPolicy;
use parquet::file::properties::WriterProperties;

type Failure = Box<dyn Error>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let server = FaultyS3::start(S3Model::new().with_bucket("lake"))?;
    let service = s3::Service::custom(&server.endpoint(), "us-east-1")?;
    let client = Client::new(service, Keys::new("KEY", "SECRET"))?;
    let store = Arc::new(S3Store::new(client, "lake"));
    // CreateMultipartUpload and CompleteMultipartUpload. A read is a GET, however large it is.
    let besides = Besides { write: 2, large_read: 0 };
    let parts = |request: &Request| request.target.contains("partNumber=");
    write_and_read("S3", store, besides, parts, || server.server().requests()).await?;

    let server = EmbeddedOpenStack::start(OpenStackModel::new().with_container("demo", "lake"))?;
    let environment = server.environment();
    let value = |name: &str| environment[&format!("APUS_LIVE_OPENSTACK{name}")].clone();
    let user = User::named(value("_USER"), Domain::default_id());
    let scope = Scope::project_named(value("_PROJECT"), Domain::default_id());
    let session = Session::password(&server.auth_url(), user, value("_PASSWORD"), scope)?;
    let client = Client::new(swift::Service::default(), session)?;
    let store = Arc::new(SwiftStore::new(client, "lake"));
    // HEAD and PUT of the segments' container, a HEAD of the container for its policy, a HEAD of the
    // object whose segments would be replaced, the manifest. A HEAD precedes a read that is resumed
    // where it is cut.
    let besides = Besides { write: 5, large_read: 1 };
    let parts = |request: &Request| {
        request.method == "PUT" && request.target.contains("/lake_segments/tables")
    };
    write_and_read("Swift", store, besides, parts, || server.storage().requests()).await
}

/// The requests that carry no bytes of the file.
struct Besides {
    write: usize,
    /// Of each read of more than 8 MiB.
    large_read: usize,
}

async fn write_and_read(
    server: &str,
    store: Arc<dyn ObjectStore>,
    besides: Besides,
    is_part: impl Fn(&Request) -> bool,
    requests: impl Fn() -> Vec<Request>,
) -> Result<(), Failure> {
    let path = Path::from("tables/large.parquet");
    write(&store, &path).await?;
    let written = requests();
    println!("{server}: written by {}", summary(&written));
    let size = store.head(&path).await?.size;
    assert!(size > 200_000_000, "{size} bytes");
    let mut lengths: Vec<_> =
        written.iter().filter(|one| is_part(one)).map(|part| part.body.len() as u64).collect();
    lengths.sort_unstable_by(|one, other| other.cmp(one));
    assert_eq!(lengths.iter().sum::<u64>(), size, "each byte is sent once");
    let whole = lengths.len() - 1;
    assert!(lengths[..whole].iter().all(|length| *length == PART), "{lengths:?}");
    assert_eq!(written.len() - lengths.len(), besides.write, "{server}: requests without a part");

    let last = store.get_range(&path, size - 8..size).await?;
    let footer = layout::footer_length(&last);
    let file = || reader::File { store: Arc::clone(&store), path: path.clone() };
    // The length of the footer is not known before its end is read.
    let opened = ["bytes=-8".to_owned(), format!("bytes=-{}", footer + 8)];
    let mut seen = requests().len();
    let mut compare = |what: &str, expected: BTreeSet<String>, large: usize| {
        let all = requests();
        let sent = &all[seen..];
        seen = all.len();
        println!("{server}: {what} read by {}", summary(sent));
        // Ranges of one row group are requested together.
        let ranges: BTreeSet<_> = sent.iter().filter_map(range).collect();
        assert_eq!(ranges, expected, "{server}: {what}");
        let others = sent.len() - ranges.len();
        assert_eq!(others, large * besides.large_read, "{server}: requests without a range");
    };

    // One column of two row groups: a GET for each chunk.
    let builder = ParquetRecordBatchStreamBuilder::new(file()).await?;
    let metadata = Arc::clone(builder.metadata());
    let one = ProjectionMask::leaves(builder.parquet_schema(), [2]);
    let stream = builder.with_projection(one).with_row_groups(vec![3, 7]).build()?;
    let batches: Vec<_> = stream.try_collect().await?;
    check(&batches, &[2], &[rows_of(3), rows_of(7)]);
    let ranges = [3, 7].into_iter().flat_map(|group| layout::chunks(&metadata, group, &[2]));
    let expected = opened.iter().cloned().chain(ranges.map(header)).collect();
    compare("one column of two row groups", expected, 0);

    // Three columns of one: the first two are neighbours, the last is behind 5 MB that nobody reads.
    let builder = ParquetRecordBatchStreamBuilder::new(file()).await?;
    let three = ProjectionMask::leaves(builder.parquet_schema(), [0, 1, 3]);
    let stream = builder.with_projection(three).with_row_groups(vec![5]).build()?;
    let batches: Vec<_> = stream.try_collect().await?;
    check(&batches, &[0, 1, 3], &[rows_of(5)]);
    let ranges = layout::chunks(&metadata, 5, &[0, 1, 3]);
    assert_eq!(ranges.len(), 2);
    let expected = opened.iter().cloned().chain(ranges.into_iter().map(header)).collect();
    compare("three columns of one row group", expected, 1);

    // A few rows of one column: with the page index, the page that has them.
    let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Required);
    let builder = ParquetRecordBatchStreamBuilder::new_with_options(file(), options).await?;
    let pages = builder.metadata().clone();
    let one = ProjectionMask::leaves(builder.parquet_schema(), [2]);
    let rows = RowSelection::from(vec![RowSelector::skip(SKIPPED), RowSelector::select(100)]);
    let builder = builder.with_projection(one).with_row_groups(vec![3]).with_row_selection(rows);
    let batches: Vec<_> = builder.build()?.try_collect().await?;
    let first = rows_of(3).start + SKIPPED;
    check(&batches, &[2], &[first..first + 100]);
    let index = layout::page_index(&pages);
    let page = layout::page(&pages, 3, 2, SKIPPED as i64);
    let expected = opened.into_iter().chain([header(index), header(page)]).collect();
    compare("a hundred rows", expected, 0);
    Ok(())
}

async fn write(store: &Arc<dyn ObjectStore>, path: &Path) -> Result<(), Failure> {
    let writer = BufWriter::with_capacity(Arc::clone(store), path.clone(), PART as usize);
    let properties = WriterProperties::builder()
        .set_dictionary_enabled(false)
        .set_max_row_group_row_count(Some(ROWS_OF_GROUP))
        .build();
    let fields = COLUMNS.map(|name| Field::new(name, DataType::Int64, false));
    let schema = Arc::new(Schema::new(fields.to_vec()));
    let writer = writer.with_max_concurrency(4);
    let mut writer = AsyncArrowWriter::try_new(writer, Arc::clone(&schema), Some(properties))?;
    for first in (0..ROWS_OF_GROUP * GROUPS).step_by(BATCH) {
        let columns = (0..COLUMNS.len()).map(|column| {
            let values = (first..first + BATCH).map(|row| value(row, column));
            Arc::new(values.collect::<Int64Array>()) as Arc<dyn Array>
        });
        writer.write(&RecordBatch::try_new(Arc::clone(&schema), columns.collect())?).await?;
    }
    writer.close().await?;
    Ok(())
}

fn rows_of(group: usize) -> Range<usize> {
    group * ROWS_OF_GROUP..(group + 1) * ROWS_OF_GROUP
}

/// Compares what was read with what these columns have in these rows.
fn check(batches: &[RecordBatch], columns: &[usize], rows: &[Range<usize>]) {
    for (at, column) in columns.iter().enumerate() {
        let found = batches.iter().flat_map(|batch| {
            let values = batch.column(at).as_any().downcast_ref::<Int64Array>();
            values.expect("integers").values().iter().copied()
        });
        let rows = rows.iter().cloned().flatten();
        assert!(found.eq(rows.map(|row| value(row, *column))), "column {column} has other values");
    }
}

/// Returns a value that nothing compresses.
fn value(row: usize, column: usize) -> i64 {
    let mixed = (row * COLUMNS.len() + column) as u64;
    mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) as i64
}

fn range(request: &Request) -> Option<String> {
    let mut headers = request.headers.iter();
    let (_, value) = headers.find(|(name, _)| name.eq_ignore_ascii_case("range"))?;
    Some(value.clone())
}

fn header(range: Range<u64>) -> String {
    format!("bytes={}-{}", range.start, range.end - 1)
}

fn summary(requests: &[Request]) -> String {
    let mut methods = BTreeMap::<&str, usize>::new();
    for request in requests {
        *methods.entry(&request.method).or_default() += 1;
    }
    let each: Vec<_> = methods.iter().map(|(method, count)| format!("{count} {method}")).collect();
    format!("{} requests: {}", requests.len(), each.join(", "))
}

const COLUMNS: [&str; 4] = ["a", "b", "c", "d"];
const GROUPS: usize = 10;
const ROWS_OF_GROUP: usize = 640_000;
const BATCH: usize = 64_000;
/// Rows before those that are selected in a row group.
const SKIPPED: usize = 300_000;
const PART: u64 = 10_000_000;

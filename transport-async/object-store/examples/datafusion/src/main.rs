//! Queries a partitioned Parquet table with DataFusion: in a container of Swift, whose tokens expire
//! while the query runs, and in a bucket of S3. Each table is written by DataFusion, too.
//!
//! `cargo run` in this directory, a workspace of its own: DataFusion takes long to compile. The
//! servers are in memory.

use std::sync::Arc;
use std::time::{Duration, Instant};

use apus_object_store::v0_13::Registry;
use apus_testing::server::{
    EmbeddedOpenStack, Fault, FaultyS3, OpenStackModel, OpenStackOperation, Operation, Plan,
    S3Model,
};
use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::Int64Type;
use datafusion::common::exec_err;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::object_store::ObjectStoreRegistry;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::object_store::ObjectStore;
use datafusion::prelude::{SessionConfig, SessionContext};
use url::{Position, Url};

/// The stores of a session by the scheme and authority of their URLs, as DataFusion asks for them:
/// `s3://bucket` and `swift://container`. Those that it does not have are opened with the options.
#[derive(Debug)]
struct Stores(Registry);

impl ObjectStoreRegistry for Stores {
    fn register_store(
        &self,
        url: &Url,
        store: Arc<dyn ObjectStore>,
    ) -> Option<Arc<dyn ObjectStore>> {
        self.0.insert(&root(url), store)
    }

    fn deregister_store(&self, url: &Url) -> Result<Arc<dyn ObjectStore>> {
        match self.0.remove(&root(url)) {
            Some(store) => Ok(store),
            None => exec_err!("no store of {url} is registered"),
        }
    }

    fn get_store(&self, url: &Url) -> Result<Arc<dyn ObjectStore>> {
        let found = self.0.find_or_open(&root(url));
        found.map(|(store, _)| store).map_err(DataFusionError::from)
    }
}

/// Returns the URL without its path, which DataFusion passes to the store itself.
fn root(url: &Url) -> Url {
    Url::parse(&url[..Position::AfterPort]).unwrap_or_else(|_| url.clone())
}

#[tokio::main]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    // Each read takes 0.7 s, so that the query takes longer than a token lives.
    let slow = Fault::Delay(Duration::from_millis(700));
    let model = OpenStackModel::new().with_container("demo", "lake").with_token_life(TOKEN_LIFE);
    let model = model.with_plan(Plan::new().always(OpenStackOperation::GetObject, slow.clone()));
    let swift = EmbeddedOpenStack::start(model)?;
    let model = S3Model::new().with_bucket("lake");
    let s3 = FaultyS3::start(model.with_plan(Plan::new().always(Operation::GetObject, slow)))?;

    let session = session(&swift, &s3)?;
    let logins = || swift.identity().requests().iter().filter(|one| one.method == "POST").count();
    for place in ["swift://lake/sales/", "s3://lake/sales/"] {
        let since = Instant::now();
        write(&session, place).await?;
        let table = place.split(':').next().unwrap_or_default();
        create(&session, place, table).await?;
        let (written, before) = (since.elapsed(), logins());
        let sent = || match table {
            "swift" => swift.storage().requests(),
            _ => s3.server().requests(),
        };
        let skipped = sent().len();
        query(&session, table).await?;
        let (took, tokens) = (since.elapsed() - written, logins() - before);
        println!(
            "{place}: written in {written:.1?}, queried in {took:.1?}, with {tokens} new tokens"
        );
        if table == "swift" {
            assert!(took > 2 * TOKEN_LIFE && tokens >= 2, "the tokens did not expire");
        }
        // Reads of a year's objects; in a path `=` may be escaped.
        let reads = |year: i64| {
            let gets = sent().into_iter().skip(skipped).filter(|one| one.method == "GET");
            gets.filter(|one| one.path().contains(&format!("{year}/"))).count()
        };
        let (first, second) = (reads(FIRST_YEAR), reads(FIRST_YEAR + 1));
        println!("{place}: {first} reads of {FIRST_YEAR}, {second} of the year after it");
        assert!(first == 0 && second > 0, "a partition was read that the query excludes");
    }
    // One query over both.
    let both = "SELECT count(*) FROM swift JOIN s3 ON swift.id = s3.id WHERE swift.year = 2024 AND s3.year = 2024";
    let rows = session.sql(both).await?.collect().await?;
    let count = rows[0].column(0).as_primitive::<Int64Type>().value(0);
    println!("ids of 2024 in both: {count}");
    assert_eq!(count, ROWS / YEARS);
    Ok(())
}

fn session(
    swift: &EmbeddedOpenStack,
    s3: &FaultyS3,
) -> std::result::Result<SessionContext, DataFusionError> {
    let environment = swift.environment();
    let value = |name: &str| environment[&format!("APUS_LIVE_OPENSTACK{name}")].clone();
    let options = [
        ("OS_AUTH_URL", swift.auth_url()),
        ("OS_USERNAME", value("_USER")),
        ("OS_PASSWORD", value("_PASSWORD")),
        ("OS_PROJECT_NAME", value("_PROJECT")),
        ("OS_USER_DOMAIN_ID", "default".to_owned()),
        ("OS_PROJECT_DOMAIN_ID", "default".to_owned()),
        ("AWS_ENDPOINT_URL", s3.endpoint()),
        ("AWS_REGION", "us-east-1".to_owned()),
        ("AWS_ACCESS_KEY_ID", "KEY".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "SECRET".to_owned()),
    ];
    let stores = Stores(Registry::new(options));
    let runtime = RuntimeEnvBuilder::new().with_object_store_registry(Arc::new(stores));
    let config = SessionConfig::new().with_target_partitions(2);
    Ok(SessionContext::new_with_config_rt(config, runtime.build_arc()?))
}

async fn write(session: &SessionContext, place: &str) -> Result<()> {
    let copy = format!(
        "COPY (SELECT value AS id, value * 3 AS amount, value % {YEARS} + {FIRST_YEAR} AS year \
         FROM generate_series(1, {ROWS})) TO '{place}' STORED AS PARQUET PARTITIONED BY (year) \
         OPTIONS ('format.max_row_group_size' '20000')"
    );
    session.sql(&copy).await?.collect().await?;
    Ok(())
}

async fn create(session: &SessionContext, place: &str, table: &str) -> Result<()> {
    let create = format!(
        "CREATE EXTERNAL TABLE {table} (id BIGINT, amount BIGINT, year BIGINT) \
         STORED AS PARQUET PARTITIONED BY (year) LOCATION '{place}'"
    );
    session.sql(&create).await?.collect().await?;
    Ok(())
}

async fn query(session: &SessionContext, table: &str) -> Result<()> {
    let select = format!(
        "SELECT year, count(*), sum(amount) FROM {table} WHERE year > {FIRST_YEAR} \
         GROUP BY year ORDER BY year"
    );
    let batches = session.sql(&select).await?.collect().await?;
    let mut found = Vec::new();
    for batch in &batches {
        let column = |at: usize| batch.column(at).as_primitive::<Int64Type>();
        found.extend(
            (0..batch.num_rows())
                .map(|row| (column(0).value(row), column(1).value(row), column(2).value(row))),
        );
    }
    let expected: Vec<_> = (FIRST_YEAR + 1..FIRST_YEAR + YEARS).map(year).collect();
    println!("{found:?}");
    assert_eq!(found, expected);
    Ok(())
}

/// Returns a year, how many rows it has, and the sum of their amounts.
fn year(year: i64) -> (i64, i64, i64) {
    let of_year = || (1..=ROWS).filter(|id| id % YEARS + FIRST_YEAR == year);
    (year, of_year().count() as i64, of_year().map(|id| id * 3).sum())
}

const ROWS: i64 = 400_000;
const YEARS: i64 = 4;
const FIRST_YEAR: i64 = 2023;
/// The model of Keystone issues tokens for whole seconds.
const TOKEN_LIFE: Duration = Duration::from_secs(2);

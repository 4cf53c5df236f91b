//! Limits of transfers that the command line sets for every backend.

use std::sync::Arc;

use apus_core::checksum::{RequestChecksumCalculation, ResponseChecksumValidation};
use apus_core::machine::RateLimits;
use apus_core::store::config::{Backend, Configuration};
use clap::Args;

/// What replaces options of all backends.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Limits")]
pub(crate) struct Limits {
    /// The minimum rate of an object's body in bytes per second, averaged over --minimum-rate-window;
    /// 0 disables the check
    ///
    /// Replaces the options s3_store_minimum_rate and swift_store_minimum_rate. Time spent in files,
    /// pipes and the programs at their other end does not count.
    #[arg(long, global = true, value_name = "BYTES", value_parser = clap::value_parser!(u64).range(..=1 << 30))]
    minimum_rate: Option<u64>,

    /// The seconds over which the rate of --minimum-rate is averaged; default: the configuration's, or 60
    ///
    /// Replaces the options s3_store_minimum_rate_window and swift_store_minimum_rate_window.
    #[arg(long, global = true, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3600))]
    minimum_rate_window: Option<u64>,

    /// The maximum rate of all bodies together, in bytes per second: 500000, 800K, 20M, 20MiB/s or 1G
    ///
    /// K and KiB are 1024 bytes, M and MiB 1024 K, G and GiB 1024 M. KB, MB and GB are refused.
    #[arg(long, global = true, value_name = "BYTES", value_parser = bytes)]
    limit_rate: Option<u64>,

    /// How many parts, segments or ranges of an object are in flight at once
    ///
    /// Replaces the options s3_store_thread_pools and swift_store_thread_pools. Default for
    /// downloads: 4. Parts in S3 of what is no file, where s3_store_thread_pools is not set or 10:
    /// 20 MiB.
    #[arg(long, global = true, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..=256))]
    concurrency: Option<u64>,

    /// Whether parts are in memory while they are sent, because their bytes come once
    #[arg(skip)]
    holds_parts: bool,

    /// The time limit for establishing a connection
    ///
    /// Replaces the options s3_store_connect_timeout and swift_store_connect_timeout.
    #[arg(long, global = true, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3600))]
    connect_timeout: Option<u64>,

    /// The time limit for the head of a response, and for a pause within its body
    ///
    /// Replaces the options s3_store_read_timeout and swift_store_read_timeout.
    #[arg(long, global = true, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3600))]
    read_timeout: Option<u64>,
}

impl Limits {
    /// Sets the options of every backend that were given.
    pub(super) fn apply(&self, configuration: &mut Configuration) {
        for backend in configuration.backends.values_mut() {
            let part = match backend {
                Backend::S3(options) if self.holds_parts => {
                    if options.s3_store_large_object_size == WHOLE {
                        options.s3_store_large_object_size = IN_FLIGHT;
                    }
                    Some(options.s3_store_large_object_chunk_size)
                }
                _ => None,
            };
            let (rate, window, width, connect, read) = match backend {
                Backend::S3(options) => (
                    &mut options.s3_store_minimum_rate,
                    &mut options.s3_store_minimum_rate_window,
                    &mut options.s3_store_thread_pools,
                    &mut options.s3_store_connect_timeout,
                    &mut options.s3_store_read_timeout,
                ),
                Backend::Swift(options) => (
                    &mut options.swift_store_minimum_rate,
                    &mut options.swift_store_minimum_rate_window,
                    &mut options.swift_store_thread_pools,
                    &mut options.swift_store_connect_timeout,
                    &mut options.swift_store_read_timeout,
                ),
            };
            *rate = self.minimum_rate.unwrap_or(*rate);
            *window = self.minimum_rate_window.unwrap_or(*window);
            *width = self.concurrency.unwrap_or_else(|| match part {
                Some(part) if *width == POOLS => POOLS.min(IN_FLIGHT / part.max(1)).max(1),
                _ => *width,
            });
            *connect = self.connect_timeout.unwrap_or(*connect);
            *read = self.read_timeout.unwrap_or(*read);
        }
    }

    /// Returns how many ranges of a download are in flight at once.
    pub(crate) fn ranges(&self) -> usize {
        self.concurrency.and_then(|number| usize::try_from(number).ok()).unwrap_or(RANGES)
    }

    /// Has fewer and smaller requests in flight by default: each body is in memory, because its
    /// bytes come once.
    pub(crate) fn hold_parts(&mut self) {
        self.holds_parts = true;
    }

    /// Returns the limits of requests and bytes, if there is one.
    pub(crate) fn rate(&self) -> Option<Arc<RateLimits>> {
        let rate = self.limit_rate?;
        Some(Arc::new(RateLimits::new(RateLimits::AT_ONCE).bytes_per_second(rate)))
    }
}

/// Requests the checksums of what is read from S3, unless the configuration says `never`.
pub(crate) fn request_checksums(configuration: &mut Configuration) {
    for backend in configuration.backends.values_mut() {
        let Backend::S3(options) = backend else { continue };
        if options.s3_store_response_checksum_validation == ResponseChecksumValidation::Never {
            continue;
        }
        if !options.s3_store_enable_data_integrity_protection {
            options.s3_store_enable_data_integrity_protection = true;
            options.s3_store_request_checksum_calculation =
                RequestChecksumCalculation::WhenRequired;
        }
        options.s3_store_response_checksum_validation = ResponseChecksumValidation::WhenSupported;
    }
}

/// Has every request sent once, to servers that respond within a few seconds.
pub(crate) fn once(configuration: &mut Configuration) {
    for backend in configuration.backends.values_mut() {
        let (retries, connect, read) = match backend {
            Backend::S3(options) => (
                &mut options.s3_store_retries,
                &mut options.s3_store_connect_timeout,
                &mut options.s3_store_read_timeout,
            ),
            Backend::Swift(options) => (
                &mut options.swift_store_retries,
                &mut options.swift_store_connect_timeout,
                &mut options.swift_store_read_timeout,
            ),
        };
        *retries = 0;
        *connect = (*connect).min(BRIEF);
        *read = (*read).min(BRIEF);
    }
}

/// Parses `500000`, `800K`, `20M`, `20MiB`, `20MiB/s`, `1G`.
fn bytes(text: &str) -> Result<u64, String> {
    let bad = || "expected bytes per second such as 500000, 800K, 20M, 20MiB/s or 1G".to_owned();
    let rate = text.strip_suffix("/s").unwrap_or(text);
    let end = rate.find(|char: char| !char.is_ascii_digit()).unwrap_or(rate.len());
    let (digits, unit) = rate.split_at(end);
    let shift = match unit {
        "" | "B" => 0,
        "K" | "k" | "KiB" => 10,
        "M" | "m" | "MiB" => 20,
        "G" | "g" | "GiB" => 30,
        "KB" | "kB" | "MB" | "GB" => {
            let unit = unit[..1].to_uppercase();
            return Err(format!(
                "{text} may mean powers of 1000 or of 1024: write {digits}{unit}iB for powers of 1024, \
                 or the number of bytes"
            ));
        }
        _ => return Err(bad()),
    };
    let number: u64 = digits.parse().map_err(|_| bad())?;
    number.checked_mul(1 << shift).filter(|bytes| *bytes > 0).ok_or_else(bad)
}

const RANGES: usize = 4;
/// The default of s3_store_thread_pools, which is that of a service that stores many images at once.
const POOLS: u64 = 10;
/// The default of s3_store_large_object_size, in MiB.
const WHOLE: u64 = 100;
/// How many MiB of parts that are in memory are in flight at once by default. Another part is read
/// meanwhile.
const IN_FLIGHT: u64 = 20;
/// The seconds that a shell waits for words.
const BRIEF: u64 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_have_units() {
        assert_eq!(bytes("500000"), Ok(500_000));
        assert_eq!(bytes("800K"), Ok(819_200));
        assert_eq!(bytes("20m"), Ok(20 << 20));
        assert_eq!(bytes("1G"), Ok(1 << 30));
        for same in ["10M", "10m", "10MiB", "10M/s", "10MiB/s", "10240KiB/s", "10485760B/s"] {
            assert_eq!(bytes(same), Ok(10 << 20), "{same}");
        }
        for wrong in [
            "",
            "0",
            "M",
            "-1",
            "+1",
            "1.5M",
            "1T",
            "1M/",
            "1/s/s",
            "1 M",
            "1\u{fc}",
            "MB",
            "99999999999999999999",
            "18446744073709551615K",
        ] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
        assert!(bytes("10MB/s").unwrap_err().contains("write 10MiB"));
    }
}

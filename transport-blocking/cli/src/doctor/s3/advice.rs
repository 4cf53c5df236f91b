//! The options that follow from the findings.

use apus_core::checksum::{Algorithm, Placement};
use apus_core::s3::{Addressing, Config};
use apus_core::store::config::S3Options;

use super::super::Report;

/// What a server was found to support.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The addressings that reach the bucket, the better first.
    pub(super) addressing: Vec<Addressing>,
    /// Objects can be stored and fetched.
    pub(super) stores: bool,
    pub(super) signed_chunks: bool,
    pub(super) lists: bool,
    pub(super) conditional_put: bool,
    pub(super) multipart: bool,
    /// A wrong Content-MD5 is refused.
    pub(super) content_md5: bool,
    /// Where a wrong checksum is refused, and of which algorithms.
    pub(super) verified: Vec<(Placement, Algorithm)>,
    /// Checksums are returned on request.
    pub(super) told: bool,
}

impl Found {
    /// Sets an addressing that works, if the configured one does not.
    pub(super) fn address(&self, config: &mut Config) {
        if !self.addressing.contains(&config.endpoint.addressing)
            && let Some(addressing) = self.addressing.first()
        {
            config.endpoint.addressing = *addressing;
        }
    }

    pub(super) fn advise(&self, options: &S3Options, report: &mut Report) {
        if !self.stores {
            return;
        }
        self.advise_addressing(options, report);
        let best = ALGORITHMS.into_iter().find_map(|algorithm| {
            let verified = |placement| self.verified.contains(&(placement, algorithm));
            if verified(Placement::Header) {
                Some((algorithm, "header"))
            } else if verified(Placement::Trailer) {
                Some((algorithm, "trailer"))
            } else {
                None
            }
        });
        let (request, response, why) = match (best, self.content_md5) {
            (Some(_), _) => ("when_supported", self.told, "the server refuses wrong checksums"),
            (None, true) => {
                ("when_supported", false, "the server verifies Content-MD5 and no other checksum")
            }
            (None, false) => (
                "when_required",
                false,
                "the server verifies no checksum: sending checksums has no benefit",
            ),
        };
        let on = best.is_some() || self.content_md5;
        report.advise("s3_store_enable_data_integrity_protection", on.to_string(), why);
        report.advise("s3_store_request_checksum_calculation", request, why);
        match best {
            Some((algorithm, place)) => {
                let why = format!(
                    "the fastest algorithm whose wrong values the server refuses in a {place}"
                );
                report.advise("s3_store_checksum_algorithm", algorithm.to_string(), why);
                let why = if place == "header" {
                    "works with every body; a trailer has no further benefit"
                } else {
                    "the only place in which wrong values are refused"
                };
                report.advise("s3_store_checksum_placement", place, why);
            }
            None if self.content_md5 => {
                let why = "the only digest that the server verifies";
                report.advise("s3_store_checksum_placement", "content-md5", why);
            }
            None => {}
        }
        let (value, why) = if response {
            ("when_supported", "the server returns the stored checksums")
        } else {
            ("when_required", "the server stores no checksums to compare")
        };
        report.advise("s3_store_response_checksum_validation", value, why);
        if !self.multipart {
            let why = "multipart uploads do not work: one request stores up to 5 GiB";
            report.advise("s3_store_large_object_size", "5120", why);
        }
    }

    fn advise_addressing(&self, options: &S3Options, report: &mut Report) {
        let (value, why) = match self.addressing.as_slice() {
            [Addressing::Path, ..] if self.addressing.len() == 1 => {
                ("path", "the bucket can't be reached by its host name")
            }
            [Addressing::Virtual] => ("virtual", "the bucket can't be reached by path"),
            _ => match options.s3_store_bucket_url_format {
                Addressing::Virtual => ("virtual", "unchanged: both addressing styles work"),
                Addressing::Path => ("path", "unchanged: both addressing styles work"),
                _ => ("auto", "unchanged: both addressing styles work"),
            },
        };
        report.advise("s3_store_bucket_url_format", value, why);
    }
}

/// The fastest first.
const ALGORITHMS: [Algorithm; 6] = [
    Algorithm::Crc64Nvme,
    Algorithm::Crc32c,
    Algorithm::Crc32,
    Algorithm::Sha256,
    Algorithm::Sha1,
    Algorithm::Sha512,
];

//! S3 codes that mean the same under any status: S3 returns errors also under 200 and 400.

/// Codes that mean throttling, whatever the status.
pub(crate) const THROTTLED: [&str; 14] = [
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottled",
    "RequestThrottledException",
    "TooManyRequests",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "BandwidthLimitExceeded",
    "LimitExceededException",
    "ProvisionedThroughputExceededException",
    "TransactionInProgressException",
    "PriorRequestNotComplete",
];

/// Codes of a server that could not process the request now.
pub(super) const UNAVAILABLE: [&str; 4] =
    ["InternalError", "ServiceUnavailable", "RequestTimeout", "RequestTimeoutException"];

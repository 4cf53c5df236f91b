//! When a request carries a checksum: the settings, and the decision for one request.
//!
//! ```text
//! enable_data_integrity_protection ─off─▶ when_required, both ways
//!                                  └─on─▶ as set ┬ when_required   if S3 requires it, or the call
//!                                                ├ when_supported  if S3 accepts or returns one
//!                                                └ never           no flexible checksum at all
//! ```

use super::algorithm::Algorithm;

/// When a request carries a checksum (`request_checksum_calculation`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RequestChecksumCalculation {
    /// If the operation requires one or the call names an algorithm.
    #[default]
    WhenRequired,
    /// If the operation accepts one. `always` is an alias.
    WhenSupported,
    /// Never. If the operation requires a checksum, `Content-MD5` is sent.
    Never,
}

words!(RequestChecksumCalculation, "request_checksum_calculation", {
    WhenRequired = "when_required",
    WhenSupported = "when_supported" | "always",
    Never = "never",
});

/// When the checksum of a response is requested and validated (`response_checksum_validation`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ResponseChecksumValidation {
    /// If the call asks for it.
    #[default]
    WhenRequired,
    /// If the operation can return one. `always` is an alias.
    WhenSupported,
    /// Never.
    Never,
}

words!(ResponseChecksumValidation, "response_checksum_validation", {
    WhenRequired = "when_required",
    WhenSupported = "when_supported" | "always",
    Never = "never",
});

/// Where a request carries its checksum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Placement {
    /// In a header if the bytes can be read before they are sent.
    #[default]
    Auto,
    /// Always in a header.
    Header,
    /// In a trailer of an aws-chunked body, if a body is streamed.
    Trailer,
    /// `Content-MD5` instead of a flexible checksum.
    ContentMd5,
}

words!(Placement, "checksum placement", {
    Auto = "auto",
    Header = "header",
    Trailer = "trailer",
    ContentMd5 = "content-md5",
});

/// The checksum settings of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
pub struct Policy {
    /// The master switch. If off, both modes are `when_required` whatever is set. Off by default.
    pub enable_data_integrity_protection: bool,
    /// When a request carries a checksum. Read by [`request_mode`](Self::request_mode).
    #[cfg_attr(feature = "serde", serde(rename = "request_checksum_calculation"))]
    pub request: RequestChecksumCalculation,
    /// When a response is validated. Read by [`response_mode`](Self::response_mode).
    #[cfg_attr(feature = "serde", serde(rename = "response_checksum_validation"))]
    pub response: ResponseChecksumValidation,
    /// The algorithm if the call names none. CRC32 by default.
    #[cfg_attr(feature = "serde", serde(rename = "checksum_algorithm"))]
    pub algorithm: Algorithm,
    /// Where a request carries its checksum.
    #[cfg_attr(feature = "serde", serde(rename = "checksum_placement"))]
    pub placement: Placement,
    /// Whether `x-amz-sdk-checksum-algorithm` is sent with each checksum we compute. On by default.
    #[cfg_attr(feature = "serde", serde(rename = "sdk_checksum_algorithm_header"))]
    pub sdk_algorithm_header: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            enable_data_integrity_protection: false,
            request: RequestChecksumCalculation::default(),
            response: ResponseChecksumValidation::default(),
            algorithm: Algorithm::default(),
            placement: Placement::default(),
            sdk_algorithm_header: true,
        }
    }
}

/// Overrides of the client's [`Policy`], for a provider or one call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
pub struct Overrides {
    /// Replaces [`Policy::request`]. It has no effect while the master switch is off.
    #[cfg_attr(feature = "serde", serde(rename = "request_checksum_calculation"))]
    pub request: Option<RequestChecksumCalculation>,
    /// Replaces [`Policy::response`]. It has no effect while the master switch is off.
    #[cfg_attr(feature = "serde", serde(rename = "response_checksum_validation"))]
    pub response: Option<ResponseChecksumValidation>,
    /// Replaces [`Policy::algorithm`]. A call's algorithm is also the `named` one of
    /// [`Policy::decide`].
    #[cfg_attr(feature = "serde", serde(rename = "checksum_algorithm"))]
    pub algorithm: Option<Algorithm>,
    /// Replaces [`Policy::placement`].
    #[cfg_attr(feature = "serde", serde(rename = "checksum_placement"))]
    pub placement: Option<Placement>,
    /// Replaces [`Policy::sdk_algorithm_header`].
    #[cfg_attr(feature = "serde", serde(rename = "sdk_checksum_algorithm_header"))]
    pub sdk_algorithm_header: Option<bool>,
}

/// Whether an operation needs a checksum of its request (`httpChecksum` in the S3 service model).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Need {
    /// Requests without one are refused: DeleteObjects, the configurations of a bucket.
    Required,
    /// A checksum is accepted: PutObject, UploadPart.
    Supported,
    /// The operation has no checksum.
    None,
}

/// The checksum that we compute for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Decision {
    /// No checksum.
    None,
    /// `Content-MD5`.
    ContentMd5,
    /// The header or trailer of this algorithm.
    Flexible(Algorithm),
}

impl Policy {
    /// Returns this policy with the overrides applied.
    #[must_use]
    pub fn with(&self, overrides: &Overrides) -> Self {
        Self {
            enable_data_integrity_protection: self.enable_data_integrity_protection,
            request: overrides.request.unwrap_or(self.request),
            response: overrides.response.unwrap_or(self.response),
            algorithm: overrides.algorithm.unwrap_or(self.algorithm),
            placement: overrides.placement.unwrap_or(self.placement),
            sdk_algorithm_header: overrides
                .sdk_algorithm_header
                .unwrap_or(self.sdk_algorithm_header),
        }
    }

    /// Returns the effective mode of requests, which depends on the master switch.
    pub fn request_mode(&self) -> RequestChecksumCalculation {
        if self.enable_data_integrity_protection { self.request } else { Default::default() }
    }

    /// Returns the effective mode of responses, which depends on the master switch.
    pub fn response_mode(&self) -> ResponseChecksumValidation {
        if self.enable_data_integrity_protection { self.response } else { Default::default() }
    }

    /// Decides which checksum we compute for a request of an operation with this `need`. `named` is
    /// the algorithm of the call; `supplied` is true if the caller has supplied a checksum.
    ///
    /// A supplied checksum is left as it is. A named algorithm is used in every mode but `never`,
    /// unless the placement is `content-md5`.
    pub fn decide(&self, need: Need, named: Option<Algorithm>, supplied: bool) -> Decision {
        use RequestChecksumCalculation as Mode;

        if supplied {
            return Decision::None;
        }
        let flexible = match (need, self.request_mode(), named) {
            (Need::None, _, _) => return Decision::None,
            (Need::Required, Mode::Never, _) => return Decision::ContentMd5,
            (Need::Supported, Mode::Never, _) => return Decision::None,
            (Need::Supported, Mode::WhenRequired, None) => return Decision::None,
            (_, _, named) => named.unwrap_or(self.algorithm),
        };
        match self.placement {
            Placement::ContentMd5 => Decision::ContentMd5,
            Placement::Auto | Placement::Header | Placement::Trailer => {
                Decision::Flexible(flexible)
            }
        }
    }

    /// Returns the algorithm where the call names none: the configured one, or the first of those that
    /// the server `takes` where the default is configured and not among them.
    pub(crate) fn algorithm_among(&self, takes: &[Algorithm]) -> Algorithm {
        match takes.first() {
            Some(first)
                if self.algorithm == Algorithm::default() && !takes.contains(&self.algorithm) =>
            {
                *first
            }
            _ => self.algorithm,
        }
    }

    /// Returns whether a read requests the object's checksum (`x-amz-checksum-mode: ENABLED`) and
    /// validates it. `asked` is true if the call asks for it.
    pub fn validates(&self, asked: bool) -> bool {
        match self.response_mode() {
            ResponseChecksumValidation::WhenSupported => true,
            ResponseChecksumValidation::WhenRequired => asked,
            ResponseChecksumValidation::Never => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Algorithm::{Crc32, Crc32c, Crc64Nvme};
    use super::Decision::{ContentMd5, Flexible};
    use super::RequestChecksumCalculation::{Never, WhenRequired, WhenSupported};
    use super::*;

    fn policy(on: bool, request: RequestChecksumCalculation, placement: Placement) -> Policy {
        Policy {
            enable_data_integrity_protection: on,
            request,
            placement,
            algorithm: Crc32c,
            ..Policy::default()
        }
    }

    #[test]
    fn defaults() {
        let policy = Policy::default();
        assert!(!policy.enable_data_integrity_protection);
        assert_eq!(policy.request, WhenRequired);
        assert_eq!(policy.response, ResponseChecksumValidation::WhenRequired);
        assert_eq!(policy.algorithm, Crc32);
        assert_eq!(policy.placement, Placement::Auto);
        assert!(policy.sdk_algorithm_header);
    }

    #[test]
    fn words_and_aliases() {
        for (word, mode) in [
            ("when_required", WhenRequired),
            ("When_Supported", WhenSupported),
            ("ALWAYS", WhenSupported),
            ("never", Never),
        ] {
            assert_eq!(word.parse::<RequestChecksumCalculation>().unwrap(), mode);
            let response: ResponseChecksumValidation = word.parse().unwrap();
            assert_eq!(response.to_string(), mode.to_string());
        }
        assert_eq!(
            "always".parse::<RequestChecksumCalculation>().unwrap().name(),
            "when_supported"
        );
        assert_eq!("Content-MD5".parse::<Placement>().unwrap(), Placement::ContentMd5);
        let told = "sometimes".parse::<RequestChecksumCalculation>().unwrap_err().to_string();
        assert_eq!(
            told,
            "unknown request_checksum_calculation \"sometimes\": expected one of when_required, \
             when_supported, always, never"
        );
    }

    // Mode, need, and the decisions without and with an algorithm that the call names.
    #[test]
    fn what_a_request_carries() {
        let table = [
            (WhenRequired, Need::Required, Flexible(Crc32c), Flexible(Crc64Nvme)),
            (WhenRequired, Need::Supported, Decision::None, Flexible(Crc64Nvme)),
            (WhenRequired, Need::None, Decision::None, Decision::None),
            (WhenSupported, Need::Required, Flexible(Crc32c), Flexible(Crc64Nvme)),
            (WhenSupported, Need::Supported, Flexible(Crc32c), Flexible(Crc64Nvme)),
            (WhenSupported, Need::None, Decision::None, Decision::None),
            (Never, Need::Required, ContentMd5, ContentMd5),
            (Never, Need::Supported, Decision::None, Decision::None),
            (Never, Need::None, Decision::None, Decision::None),
        ];
        let as_md5 = |decision| match decision {
            Flexible(_) => ContentMd5,
            other => other,
        };
        for (mode, need, unnamed, named) in table {
            for placement in [Placement::Auto, Placement::Header, Placement::Trailer] {
                let on = policy(true, mode, placement);
                assert_eq!(on.decide(need, None, false), unnamed, "{mode} {need:?}");
                assert_eq!(on.decide(need, Some(Crc64Nvme), false), named, "{mode} {need:?}");
            }
            let on = policy(true, mode, Placement::ContentMd5);
            assert_eq!(on.decide(need, None, false), as_md5(unnamed), "{mode} {need:?}");
            assert_eq!(on.decide(need, Some(Crc64Nvme), false), as_md5(named), "{mode} {need:?}");
            assert_eq!(on.decide(need, Some(Crc64Nvme), true), Decision::None);

            // With the switch off, each mode is the first.
            let off = policy(false, mode, Placement::Auto);
            let required = policy(true, WhenRequired, Placement::Auto);
            for named in [None, Some(Crc64Nvme)] {
                assert_eq!(off.decide(need, named, false), required.decide(need, named, false));
            }
        }
    }

    #[test]
    fn what_an_answer_is_asked_for() {
        use ResponseChecksumValidation::{Never, WhenRequired, WhenSupported};
        for (on, mode, unasked, asked) in [
            (true, WhenRequired, false, true),
            (true, WhenSupported, true, true),
            (true, Never, false, false),
            (false, WhenRequired, false, true),
            (false, WhenSupported, false, true),
            (false, Never, false, true),
        ] {
            let policy = Policy {
                enable_data_integrity_protection: on,
                response: mode,
                ..Policy::default()
            };
            assert_eq!((policy.validates(false), policy.validates(true)), (unasked, asked));
        }
    }

    #[test]
    fn a_call_overrides_what_it_names_and_not_the_master_switch() {
        let overrides = Overrides {
            request: Some(Never),
            algorithm: Some(Crc64Nvme),
            sdk_algorithm_header: Some(false),
            ..Overrides::default()
        };
        let on = policy(true, WhenSupported, Placement::Header);
        let expected =
            Policy { request: Never, algorithm: Crc64Nvme, sdk_algorithm_header: false, ..on };
        assert_eq!(on.with(&overrides), expected);
        assert_eq!(on.with(&Overrides::default()), on);
        let off = policy(false, WhenSupported, Placement::Auto).with(&overrides);
        assert_eq!(off.request_mode(), WhenRequired);
    }

    #[cfg(feature = "serde")]
    #[test]
    fn settings_are_read_by_their_configuration_names() {
        let policy: Policy = serde_json::from_str(
            r#"{ "enable_data_integrity_protection": true,
                 "request_checksum_calculation": "always",
                 "checksum_algorithm": "crc64nvme",
                 "checksum_placement": "content-md5" }"#,
        )
        .unwrap();
        assert_eq!(policy.request, WhenSupported);
        assert_eq!(policy.algorithm, Crc64Nvme);
        assert_eq!(policy.placement, Placement::ContentMd5);
        assert!(policy.sdk_algorithm_header);
        let written = serde_json::to_value(policy).unwrap();
        assert_eq!(written["request_checksum_calculation"], "when_supported");
        assert_eq!(written["checksum_algorithm"], "CRC64NVME");
        let error = serde_json::from_str::<Policy>(r#"{"checksum_placement": "footer"}"#);
        assert!(error.unwrap_err().to_string().contains("auto, header, trailer, content-md5"));
    }
}

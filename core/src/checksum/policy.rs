//! When a checksum travels: the settings, and what follows from them for one request.
//!
//! ```text
//! enable_data_integrity_protection ─off─▶ when_required, both ways
//!                                  └─on─▶ as set ┬ when_required   where S3 insists, or the call asks
//!                                                ├ when_supported  wherever S3 takes or gives one
//!                                                └ never           no flexible checksum at all
//! ```

use super::algorithm::Algorithm;

/// When a request carries a checksum (`request_checksum_calculation`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RequestChecksumCalculation {
    /// Where the operation insists on one or the call names an algorithm.
    #[default]
    WhenRequired,
    /// Wherever the operation takes one. `always` is an alias.
    WhenSupported,
    /// Nowhere: where the operation insists, `Content-MD5` stands in.
    Never,
}

words!(RequestChecksumCalculation, "request_checksum_calculation", {
    WhenRequired = "when_required",
    WhenSupported = "when_supported" | "always",
    Never = "never",
});

/// When an answer's checksum is asked for and checked (`response_checksum_validation`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ResponseChecksumValidation {
    /// Where the call asks.
    #[default]
    WhenRequired,
    /// Wherever the operation can give one. `always` is an alias.
    WhenSupported,
    /// Nowhere.
    Never,
}

words!(ResponseChecksumValidation, "response_checksum_validation", {
    WhenRequired = "when_required",
    WhenSupported = "when_supported" | "always",
    Never = "never",
});

/// Where in a request its checksum goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Placement {
    /// In a header wherever the bytes can be read before they are sent.
    #[default]
    Auto,
    /// In a header, always.
    Header,
    /// In a trailer of an aws-chunked body, where there is a body to stream.
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
    /// The master switch: off, both modes are `when_required` whatever is set. Off by default.
    pub enable_data_integrity_protection: bool,
    /// When a request carries a checksum. Read by [`request_mode`](Self::request_mode).
    #[cfg_attr(feature = "serde", serde(rename = "request_checksum_calculation"))]
    pub request: RequestChecksumCalculation,
    /// When an answer's checksum is checked. Read by [`response_mode`](Self::response_mode).
    #[cfg_attr(feature = "serde", serde(rename = "response_checksum_validation"))]
    pub response: ResponseChecksumValidation,
    /// The algorithm of requests whose call names none. CRC32 by default.
    #[cfg_attr(feature = "serde", serde(rename = "checksum_algorithm"))]
    pub algorithm: Algorithm,
    /// Where in a request its checksum goes.
    #[cfg_attr(feature = "serde", serde(rename = "checksum_placement"))]
    pub placement: Placement,
    /// Whether `x-amz-sdk-checksum-algorithm` goes with every checksum we compute. On by default.
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

/// What a provider or one call sets otherwise than the client's [`Policy`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
pub struct Overrides {
    /// Replaces [`Policy::request`]; the master switch still decides whether it counts.
    #[cfg_attr(feature = "serde", serde(rename = "request_checksum_calculation"))]
    pub request: Option<RequestChecksumCalculation>,
    /// Replaces [`Policy::response`]; the master switch still decides whether it counts.
    #[cfg_attr(feature = "serde", serde(rename = "response_checksum_validation"))]
    pub response: Option<ResponseChecksumValidation>,
    /// Replaces [`Policy::algorithm`]. That of a call also goes to [`Policy::decide`], as named.
    #[cfg_attr(feature = "serde", serde(rename = "checksum_algorithm"))]
    pub algorithm: Option<Algorithm>,
    /// Replaces [`Policy::placement`].
    #[cfg_attr(feature = "serde", serde(rename = "checksum_placement"))]
    pub placement: Option<Placement>,
    /// Replaces [`Policy::sdk_algorithm_header`].
    #[cfg_attr(feature = "serde", serde(rename = "sdk_checksum_algorithm_header"))]
    pub sdk_algorithm_header: Option<bool>,
}

/// What an operation does with a checksum of its request (`httpChecksum` in the S3 service model).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Need {
    /// It refuses a request without one: DeleteObjects, the configurations of a bucket.
    Required,
    /// It takes one: PutObject, UploadPart.
    Supported,
    /// It has no place for one.
    None,
}

/// What one request carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Decision {
    /// Nothing that we compute.
    None,
    /// `Content-MD5`.
    ContentMd5,
    /// The header or trailer of this algorithm.
    Flexible(Algorithm),
}

impl Policy {
    /// This policy with what the overrides set.
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

    /// The mode of requests, after the master switch.
    pub fn request_mode(&self) -> RequestChecksumCalculation {
        if self.enable_data_integrity_protection { self.request } else { Default::default() }
    }

    /// The mode of answers, after the master switch.
    pub fn response_mode(&self) -> ResponseChecksumValidation {
        if self.enable_data_integrity_protection { self.response } else { Default::default() }
    }

    /// What a request of an operation with this `need` carries, where the call itself `named` an
    /// algorithm or not, and `supplied` tells whether it came with a checksum of its own.
    ///
    /// An algorithm that is named is used in every mode but `never`. What was supplied is left
    /// alone.
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

    /// Whether a read asks for the object's checksum (`x-amz-checksum-mode: ENABLED`) and checks
    /// it, where the call itself asked or not.
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
            "\"sometimes\" is no request_checksum_calculation: expected one of \
             when_required, when_supported, always, never"
        );
    }

    // Mode, need, and what goes without and with an algorithm that the call names.
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

            // Off, every mode is the first.
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

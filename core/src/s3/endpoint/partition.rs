//! AWS's partitions: groups of regions under one DNS suffix (`partitions.json` of the AWS SDKs).

use crate::base_url::BaseUrl;

/// A group of regions that share accounts and a DNS suffix.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Partition {
    pub(super) name: &'static str,
    pub(super) dns_suffix: &'static str,
    /// The suffix of hosts that have IPv6 addresses too.
    dual_stack_dns_suffix: &'static str,
    /// The prefix of its regions; an area and a number follow.
    prefix: &'static str,
    /// The name of the partition's own pseudo region.
    global: &'static str,
}

impl Partition {
    /// Returns the partition of a region. An unknown region counts as a new one of `aws`.
    pub(super) fn of_region(region: &str) -> &'static Self {
        let knows = |partition: &&Self| {
            region == partition.global
                || region.strip_prefix(partition.prefix).is_some_and(is_area_and_number)
        };
        OTHERS.iter().find(knows).unwrap_or(&AWS)
    }
}

/// Returns whether a host is one of AWS's, in any partition.
pub(super) fn is_aws_host(host: &str) -> bool {
    split_suffix(host).is_some()
}

/// Returns the labels of an AWS host before its suffix, and the suffix.
fn split_suffix(host: &str) -> Option<(&str, &'static str)> {
    let host = host.strip_suffix('.').unwrap_or(host);
    let suffixes = std::iter::once(&AWS).chain(&OTHERS);
    suffixes.flat_map(|known| [known.dns_suffix, known.dual_stack_dns_suffix]).find_map(|suffix| {
        let before = host.strip_suffix(suffix)?;
        Some((before.strip_suffix('.').or(before.is_empty().then_some(""))?, suffix))
    })
}

/// Returns whether a host is that of Transfer Acceleration, which supports virtual hosts only.
pub(super) fn is_accelerate_host(host: &str) -> bool {
    matches!(host, "s3-accelerate.amazonaws.com" | "s3-accelerate.dualstack.amazonaws.com")
}

/// Returns whether the text matches `\w+-\d+`.
fn is_area_and_number(text: &str) -> bool {
    text.split_once('-').is_some_and(|(area, number)| {
        !area.is_empty()
            && !number.is_empty()
            && area.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// The pseudo region of endpoints without a region.
pub(super) const GLOBAL: &str = "aws-global";

const AWS: Partition = Partition {
    name: "aws",
    dns_suffix: "amazonaws.com",
    dual_stack_dns_suffix: "api.aws",
    prefix: "",
    global: GLOBAL,
};

const OTHERS: [Partition; 7] = [
    Partition {
        name: "aws-cn",
        dns_suffix: "amazonaws.com.cn",
        dual_stack_dns_suffix: "api.amazonwebservices.com.cn",
        prefix: "cn-",
        global: "aws-cn-global",
    },
    Partition {
        name: "aws-eusc",
        dns_suffix: "amazonaws.eu",
        dual_stack_dns_suffix: "api.amazonwebservices.eu",
        prefix: "eusc-de-",
        global: "aws-eusc-global",
    },
    Partition {
        name: "aws-iso",
        dns_suffix: "c2s.ic.gov",
        dual_stack_dns_suffix: "api.aws.ic.gov",
        prefix: "us-iso-",
        global: "aws-iso-global",
    },
    Partition {
        name: "aws-iso-b",
        dns_suffix: "sc2s.sgov.gov",
        dual_stack_dns_suffix: "api.aws.scloud",
        prefix: "us-isob-",
        global: "aws-iso-b-global",
    },
    Partition {
        name: "aws-iso-e",
        dns_suffix: "cloud.adc-e.uk",
        dual_stack_dns_suffix: "api.cloud-aws.adc-e.uk",
        prefix: "eu-isoe-",
        global: "aws-iso-e-global",
    },
    Partition {
        name: "aws-iso-f",
        dns_suffix: "csp.hci.ic.gov",
        dual_stack_dns_suffix: "api.aws.hci.ic.gov",
        prefix: "us-isof-",
        global: "aws-iso-f-global",
    },
    Partition {
        name: "aws-us-gov",
        dns_suffix: "amazonaws.com",
        dual_stack_dns_suffix: "api.aws",
        prefix: "us-gov-",
        global: "aws-us-gov-global",
    },
];

impl BaseUrl {
    /// Returns whether the host is one of AWS's, in any partition.
    pub fn is_aws(&self) -> bool {
        is_aws_host(self.host())
    }

    /// Returns the region of an AWS host: of `s3.eu-west-1.amazonaws.com`, of hosts for FIPS, for
    /// dual stack, for buckets and for VPCs (`s3-fips.dualstack.us-gov-west-1.amazonaws.com`), of
    /// the old form `s3-eu-west-1.amazonaws.com`, and that of `s3.amazonaws.com`. `None` for other
    /// AWS hosts without a region, and for hosts that are not AWS's.
    pub fn aws_region(&self) -> Option<String> {
        let (before, suffix) = split_suffix(self.host())?;
        let before = before.strip_suffix(".vpce").unwrap_or(before);
        let last = before.rsplit('.').next().unwrap_or_default();
        if is_region(last) {
            return Some(last.to_owned());
        }
        let old = last.strip_prefix("s3-").map(|rest| rest.strip_prefix("fips-").unwrap_or(rest));
        if let Some(region) = old.filter(|region| is_region(region)) {
            return Some(region.to_owned());
        }
        let is_global = suffix == AWS.dns_suffix && matches!(last, "s3" | "s3-external-1");
        is_global.then(|| "us-east-1".to_owned())
    }

    /// Returns whether an AWS host serves the websites in buckets, and not S3's API.
    pub fn is_aws_website(&self) -> bool {
        split_suffix(self.host()).is_some_and(|(before, _)| {
            before.split('.').any(|label| label == "s3-website" || label.starts_with("s3-website-"))
        })
    }

    /// Returns whether an AWS host is in the partition of this region; true for other hosts.
    pub fn is_in_partition_of(&self, region: &str) -> bool {
        let known = Partition::of_region(region);
        split_suffix(self.host()).is_none_or(|(_, suffix)| {
            suffix == known.dns_suffix || suffix == known.dual_stack_dns_suffix
        })
    }
}

/// Returns whether a label of a host has the form of a region: `eu-west-1`, `us-gov-east-1`.
fn is_region(label: &str) -> bool {
    let words = label.rsplit_once('-').filter(|(_, number)| {
        !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit())
    });
    words.is_some_and(|(words, _)| {
        let is_word =
            |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
        let (area, rest) = words.split_once('-').unwrap_or_default();
        // Two letters, or `eusc`: no `website-us-east-1`, no `vpce-0a1b-2`.
        (area.len() == 2 || area == "eusc") && is_word(area) && rest.split('-').all(is_word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    // `regionRegex` and `regions` of botocore 1.44.5's partitions.json.
    #[test]
    fn regions_are_in_the_partitions_that_aws_lists() {
        for (region, partition) in [
            ("us-east-1", "aws"),
            ("me-west-1", "aws"),
            ("aws-global", "aws"),
            ("xx-new-9", "aws"),
            ("cn-northwest-1", "aws-cn"),
            ("aws-cn-global", "aws-cn"),
            ("cn-north", "aws"),
            ("eusc-de-east-1", "aws-eusc"),
            ("eusc-fr-east-1", "aws"),
            ("us-iso-east-1", "aws-iso"),
            ("us-isob-west-1", "aws-iso-b"),
            ("eu-isoe-west-1", "aws-iso-e"),
            ("us-isof-south-1", "aws-iso-f"),
            ("us-gov-west-1", "aws-us-gov"),
            ("aws-us-gov-global", "aws-us-gov"),
        ] {
            assert_eq!(Partition::of_region(region).name, partition, "{region}");
        }
    }

    #[test]
    fn hosts_of_aws_are_known_by_whole_labels() {
        for host in
            ["s3.eu-west-1.amazonaws.com", "b.s3.cn-north-1.amazonaws.com.cn", "amazonaws.eu"]
        {
            assert!(is_aws_host(host), "{host}");
        }
        for host in ["notamazonaws.com", "amazonaws.com.example.org", "s3.example.com", ""] {
            assert!(!is_aws_host(host), "{host}");
        }
    }
}

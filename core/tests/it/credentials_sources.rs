//! The requests of each source of keys, and how their responses are read.

use apus_core::credentials::{
    AwsConfig, Environment, Instance, NoLookup, Process, Resolver, Source,
};
use apus_core::error::{ExchangeErrorKind, Kind};

use crate::aws::{Disk, START, Sent, World, assumed, environment, lost, metadata, say};

fn profile(text: &str, name: &str) -> Source {
    let config = AwsConfig::parse(("config", text), ("credentials", "")).unwrap();
    Resolver::new(&config, &Environment::default()).profile(name).unwrap()
}

fn resolved(
    variables: &[(&str, &str)],
    pick: impl Fn(Resolver<'_>) -> Result<Source, apus_core::Error>,
) -> Result<Source, apus_core::Error> {
    pick(Resolver::new(&AwsConfig::default(), &environment(variables)))
}

const ROLE: &str = "[profile user]\n\
    aws_access_key_id = AKIAIOSFODNN7EXAMPLE\n\
    aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\n\
    [profile backup]\n\
    role_arn = arn:aws:iam::123456789012:role/backup\n\
    source_profile = user\nexternal_id = a b/c\nduration_seconds = 3600\n\
    region = eu-central-1\n\
    [profile far]\n\
    role_arn = arn:aws:iam::210987654321:role/far\n\
    source_profile = backup\nrole_session_name = me\nregion = eu-central-1\n";

#[test]
fn a_role_is_assumed_as_botocore_signs_it() {
    let mut world = World::new(profile(ROLE, "backup"), NoLookup, |now, sent| match sent.is_s3() {
        true => say(200, ""),
        false => say(200, assumed("AssumeRole", "ROLEKEY", now + 3600)),
    });
    world.ask().unwrap();
    let sent = &world.sent[0];
    assert_eq!((&*sent.method, &*sent.url), ("POST", "https://sts.eu-central-1.amazonaws.com/"));
    assert_eq!(
        sent.body,
        "Action=AssumeRole&Version=2011-06-15\
         &RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fbackup\
         &RoleSessionName=apus-1767322800&DurationSeconds=3600&ExternalId=a%20b%2Fc"
    );
    // Computed by botocore 1.44's SigV4Auth of the same request.
    assert_eq!(
        sent.header("authorization"),
        Some(
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20260102/eu-central-1/sts/aws4_request, \
             SignedHeaders=accept;content-type;host;x-amz-date, \
             Signature=b3f141444a43f219caf564ceb4619f080eca0580b4f92c079daa1a2e1eac88d5"
        )
    );
    assert_eq!(world.sent[1].signer(), Some("ROLEKEY"));
    assert_eq!(world.sent[1].header("x-amz-security-token"), Some("TOKEN/ROLEKEY"));
}

#[test]
fn roles_are_assumed_one_after_the_other() {
    let source = profile(ROLE, "far");
    assert_eq!(source.to_string(), "assume-role from assume-role from static");
    let mut world = World::new(source, NoLookup, |now, sent| match sent.signer() {
        Some("FAR") => say(200, ""),
        Some("BACKUP") => say(200, assumed("AssumeRole", "FAR", now + 3600)),
        _ => say(200, assumed("AssumeRole", "BACKUP", now + 3600)),
    });
    world.ask().unwrap();
    let signers: Vec<_> = world.sent.iter().filter_map(Sent::signer).collect();
    assert_eq!(signers, ["AKIAIOSFODNN7EXAMPLE", "BACKUP", "FAR"]);
    assert!(world.sent[1].body.contains("far&RoleSessionName=me"));
    assert!(!world.sent[1].body.contains("ExternalId"));
}

#[test]
fn the_clock_of_sts_is_learnt_from_its_refusal() {
    let mut world = World::new(profile(ROLE, "backup"), NoLookup, |now, sent| {
        let date = sent.header("x-amz-date").unwrap().to_owned();
        let at = apus_core::now::Timestamp::parse_amz(&date).unwrap().unix();
        if at.abs_diff(now as i64) > 300 {
            let code = if sent.is_s3() { "RequestTimeTooSkewed" } else { "SignatureDoesNotMatch" };
            let error = format!("<Error><Code>{code}</Code><Message>expired</Message></Error>");
            return say(
                403,
                match sent.is_s3() {
                    true => error,
                    false => format!("<ErrorResponse>{error}</ErrorResponse>"),
                },
            );
        }
        match sent.is_s3() {
            true => say(200, ""),
            false => say(200, assumed("AssumeRole", "ROLEKEY", now + 3600)),
        }
    });
    world.skew = 7200;
    world.ask().unwrap();
    assert_eq!(world.count("https://sts"), 2);
}

#[test]
fn a_refusal_of_sts_is_told_with_its_words_and_no_secret() {
    let mut world = World::new(profile(ROLE, "backup"), NoLookup, |_, _| {
        say(
            403,
            "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error>\
             <Type>Sender</Type><Code>AccessDenied</Code><Message>not you</Message></Error>\
             <RequestId>4e1c</RequestId></ErrorResponse>",
        )
    });
    let error = world.ask().unwrap_err();
    assert_eq!((error.kind(), error.code()), (Kind::Auth, Some("AccessDenied")));
    assert_eq!(
        error.to_string(),
        "AssumeRole: could not obtain credentials: the server refused the request: 403 \
         AccessDenied: not you [request 4e1c]"
    );
    assert!(!format!("{error:?}").contains("wJalr"));
    assert_eq!(world.count("http"), 1);
}

#[test]
fn a_web_identity_reads_its_token_anew_each_time_and_signs_nothing() {
    let source = resolved(
        &[
            ("AWS_WEB_IDENTITY_TOKEN_FILE", "/run/token"),
            ("AWS_ROLE_ARN", "arn:aws:iam::1:role/web"),
            ("AWS_ROLE_SESSION_NAME", "pod"),
            ("AWS_REGION", "cn-north-1"),
        ],
        |resolver| resolver.default_chain(),
    );
    let disk = Disk::default().with("/run/token", "ey.J1\n");
    *disk.later.lock().unwrap() = 1;
    let mut world = World::new(source.unwrap(), disk.clone(), |now, sent| match sent.is_s3() {
        true => say(200, ""),
        false => say(200, assumed("AssumeRoleWithWebIdentity", "WEB", now + 3600)),
    });
    world.ask().unwrap();
    let sent = &world.sent[0];
    assert_eq!(sent.url, "https://sts.cn-north-1.amazonaws.com.cn/");
    assert!(sent.header("authorization").is_none());
    assert_eq!(
        sent.body,
        "Action=AssumeRoleWithWebIdentity&Version=2011-06-15\
         &RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fweb&RoleSessionName=pod&WebIdentityToken=ey.J1"
    );
    let disk = disk.with("/run/token", "ey.J2");
    world.pass(3550);
    world.ask().unwrap();
    assert!(world.sent[2].body.ends_with("WebIdentityToken=ey.J2"));
    drop(disk);
}

#[test]
fn the_instance_is_asked_by_version_two() {
    let mut world =
        World::new(Source::Instance(Instance::default()), NoLookup, |now, sent| match &*sent.url {
            "http://169.254.169.254/latest/api/token" => {
                assert_eq!(sent.method, "PUT");
                assert_eq!(sent.header("x-aws-ec2-metadata-token-ttl-seconds"), Some("21600"));
                say(200, "TOK==")
            }
            url if url.starts_with("http://169.254.169.254/latest/meta-data/iam/security-cred") => {
                assert_eq!(sent.header("x-aws-ec2-metadata-token"), Some("TOK=="));
                match url.ends_with("/security-credentials/") {
                    true => say(200, "my role/..\nother"),
                    false => say(200, metadata("INSTANCE", now + 3600)),
                }
            }
            _ => say(200, ""),
        });
    world.ask().unwrap();
    assert!(world.sent[2].url.ends_with("/security-credentials/my%20role%2F.."));
    assert_eq!(world.sent[3].signer(), Some("INSTANCE"));
}

#[test]
fn version_one_is_asked_only_where_that_is_allowed() {
    let script = |now: u64, sent: &Sent| match &*sent.url {
        url if url.ends_with("/latest/api/token") => say(403, ""),
        url if url.ends_with("/security-credentials/") => {
            assert!(sent.header("x-aws-ec2-metadata-token").is_none());
            say(200, "role")
        }
        url if url.starts_with("http://169.254") => say(200, metadata("V1", now + 3600)),
        _ => say(200, ""),
    };
    let mut world = World::new(Source::Instance(Instance::default()), NoLookup, script);
    let error = world.ask().unwrap_err();
    assert!(error.to_string().starts_with("GetInstanceMetadataToken: "), "{error}");
    assert_eq!(world.sent.len(), 1);

    let allowed = resolved(&[("AWS_EC2_METADATA_V1_DISABLED", "false")], |r| r.instance());
    let mut world = World::new(allowed.unwrap(), NoLookup, script);
    world.ask().unwrap();
    assert_eq!(world.sent[3].signer(), Some("V1"));
}

#[test]
fn what_the_instance_says_wrong_is_an_error() {
    for (status, body, expect) in
        [(404, "", "an IAM role"), (200, "", "an IAM role"), (500, "", "500")]
    {
        let mut world =
            World::new(Source::Instance(Instance::default()), NoLookup, move |_, sent| match sent
                .url
                .ends_with("/latest/api/token")
            {
                true => say(200, "TOK"),
                false => say(status, body),
            });
        let error = world.ask().unwrap_err().to_string();
        assert!(error.contains(expect), "{error}");
    }
    let refused = r#"{"Code":"AssumeRoleUnauthorizedAccess","Message":"EC2 cannot assume"}"#;
    for (keys, expect) in [
        (refused, "AssumeRoleUnauthorizedAccess: EC2 cannot assume"),
        ("nonsense", "is not valid JSON: line 1, column"),
        ("[]", "is not a JSON object"),
        (r#"{"AccessKeyId":"A"}"#, "has no string member `SecretAccessKey`"),
        (
            r#"{"AccessKeyId":"A","SecretAccessKey":"hunter2","Expiration":"soon"}"#,
            "has a `Expiration` that is not a date",
        ),
    ] {
        let mut world =
            World::new(Source::Instance(Instance::default()), NoLookup, move |_, sent| match sent
                .url
                .ends_with("/security-credentials/role")
            {
                true => say(200, keys),
                false => say(200, "role"),
            });
        let error = world.ask().unwrap_err().to_string();
        assert!(error.contains(expect) && !error.contains("hunter2"), "{error}");
    }
}

#[test]
fn a_container_is_asked_with_its_token() {
    let source = resolved(
        &[
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/v1/credentials?a=b"),
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/eks/token"),
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "older"),
        ],
        |resolver| resolver.default_chain(),
    );
    let disk = Disk::default().with("/eks/token", "Bearer x\n");
    let script = |now: u64, sent: &Sent| match sent.is_s3() {
        true => say(200, ""),
        false => say(200, metadata("POD", now + 3600)),
    };
    let mut world = World::new(source.unwrap(), disk.clone(), script);
    world.ask().unwrap();
    assert_eq!(world.sent[0].url, "http://169.254.170.23/v1/credentials?a=b");
    assert_eq!(world.sent[0].header("authorization"), Some("Bearer x"));
    assert_eq!(world.sent[1].signer(), Some("POD"));

    let variables = [
        ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials/id"),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "a\r\nb"),
    ];
    let source = resolved(&variables, |resolver| resolver.container());
    let mut world = World::new(source.unwrap(), disk, script);
    let error = world.ask().unwrap_err().to_string();
    assert!(error.contains("header authorization contains a control character"), "{error}");
    assert!(world.sent.is_empty());
}

#[test]
fn sso_hands_out_keys_for_the_token_of_a_login() {
    let text = "[sso-session corp]\nsso_start_url = https://corp.awsapps.com/start\n\
        sso_region = eu-west-1\n[profile dev]\nsso_session = corp\nsso_account_id = 123456789012\n\
        sso_role_name = Read Only\n";
    // The SHA-1 of `corp`.
    let file = "~/.aws/sso/cache/ee0bfd2552fbd840c02cc48b6e823320543c450f.json";
    let script = |now: u64, sent: &Sent| match sent.is_s3() {
        true => say(200, ""),
        false => say(
            200,
            format!(
                r#"{{"roleCredentials":{{"accessKeyId":"SSO","secretAccessKey":"S",
                "sessionToken":"T","expiration":{}}}}}"#,
                (now + 3600) * 1000
            ),
        ),
    };
    for (expires, works) in [("2026-01-02T04:00:00Z", true), ("2026-01-02T02:00:00UTC", false)] {
        let token = format!(r#"{{"accessToken":"hunter2","expiresAt":"{expires}"}}"#);
        let disk = Disk::default().with(file, &token);
        let mut world = World::new(profile(text, "dev"), disk, script);
        let result = world.ask();
        assert_eq!(result.is_ok(), works, "{result:?}");
        if works {
            assert_eq!(
                world.sent[0].url,
                "https://portal.sso.eu-west-1.amazonaws.com/federation/credentials\
                 ?role_name=Read%20Only&account_id=123456789012"
            );
            assert_eq!(world.sent[0].header("x-amz-sso_bearer_token"), Some("hunter2"));
            assert_eq!(world.sent[1].signer(), Some("SSO"));
        } else {
            let error = result.unwrap_err().to_string();
            assert!(error.contains("aws sso login") && !error.contains("hunter2"), "{error}");
        }
    }
}

#[test]
fn what_a_process_prints_is_checked() {
    for (output, expect) in [
        ("", "is not valid JSON"),
        (r#"{"Version":2,"AccessKeyId":"A","SecretAccessKey":"hunter2"}"#, "has `Version` 2"),
        (r#"{"AccessKeyId":"A","SecretAccessKey":"hunter2"}"#, "has no number member `Version`"),
        (r#"{"Version":1,"SecretAccessKey":"hunter2"}"#, "has no string member `AccessKeyId`"),
    ] {
        let source = Source::Process(Process { command: "get".into() });
        let disk = Disk::default().with("get", output);
        let error = World::new(source, disk, |_, _| say(200, "")).ask().unwrap_err().to_string();
        assert!(error.contains(expect) && !error.contains("hunter2"), "{error}");
    }
}

#[test]
fn what_is_lost_on_the_way_is_asked_again() {
    let mut asked = 0;
    let mut world = World::new(profile(ROLE, "backup"), NoLookup, move |now, sent| {
        if sent.is_s3() {
            return say(200, "");
        }
        asked += 1;
        match asked {
            1 => lost(ExchangeErrorKind::Connect),
            2 => say(503, ""),
            3 => say(400, "<ErrorResponse><Error><Code>Throttling</Code></Error></ErrorResponse>"),
            _ => say(200, assumed("AssumeRole", "ROLEKEY", now + 3600)),
        }
    });
    world.ask().unwrap();
    assert_eq!(world.count("https://sts"), 4);
    assert!(world.now.unix.as_secs() < START + 60);
}

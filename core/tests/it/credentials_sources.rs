//! The requests of each source of keys, and how their responses are read.

use apus_core::credentials::{
    AwsConfig, Environment, Instance, NoLookup, Process, Resolver, Source,
};
use apus_core::error::{ExchangeErrorKind, Kind};

use crate::aws::{Disk, START, Said, Sent, World, assumed, environment, lost, metadata, say};

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
        "AssumeRole: could not obtain credentials: https://sts.eu-central-1.amazonaws.com: the \
         server refused the request: 403 AccessDenied: not you [request 4e1c]"
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
    assert!(error.to_string().contains("`ec2_metadata_v1_disabled`"), "{error}");
    assert_eq!(world.sent.len(), 1);

    let allowed = resolved(&[("AWS_EC2_METADATA_V1_DISABLED", "false")], |r| r.instance());
    let mut world = World::new(allowed.unwrap(), NoLookup, script);
    world.ask().unwrap();
    assert_eq!(world.sent[3].signer(), Some("V1"));
}

// "Configure the instance metadata options", Amazon EC2 user guide: by default the response with a
// token does not reach a container.
#[test]
fn an_instance_that_sends_no_token_is_not_asked_again_and_the_error_says_what_helps() {
    for cause in [ExchangeErrorKind::Timeout, ExchangeErrorKind::Connect] {
        let source = Source::Instance(Instance::default());
        let mut world = World::new(source, NoLookup, move |_, _| lost(cause));
        let error = world.ask().unwrap_err();
        assert_eq!((world.sent.len(), world.now.unix.as_secs()), (1, START), "{error}");
        assert!(error.to_string().contains("hop limit"), "{error}");
    }
    // Where version 1 is allowed, it is used at once.
    let allowed = resolved(&[("AWS_EC2_METADATA_V1_DISABLED", "false")], |r| r.instance());
    let script = |now: u64, sent: &Sent| match &*sent.url {
        url if url.ends_with("/latest/api/token") => lost(ExchangeErrorKind::Timeout),
        url if url.ends_with("/security-credentials/") => say(200, "role"),
        url if url.starts_with("http://169.254") => say(200, metadata("V1", now + 3600)),
        _ => say(200, ""),
    };
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

const LOGGED_IN: &str = "[sso-session corp]\nsso_start_url = https://corp.awsapps.com/start\n\
    sso_region = eu-west-1\n[profile dev]\nsso_session = corp\nsso_account_id = 123456789012\n\
    sso_role_name = role\n";
/// Of the SHA-1 of `corp`.
const TOKEN_FILE: &str = "~/.aws/sso/cache/ee0bfd2552fbd840c02cc48b6e823320543c450f.json";

fn token(expires: &str, registered: &str) -> String {
    format!(
        r#"{{"accessToken":"old","expiresAt":"{expires}","refreshToken":"refresh1","clientId":"id",
        "clientSecret":"hunter2","registrationExpiresAt":"{registered}","region":"eu-west-1"}}"#
    )
}

fn portal(now: u64) -> Said {
    let expires = (now + 3600) * 1000;
    say(
        200,
        format!(
            r#"{{"roleCredentials":{{"accessKeyId":"SSO","secretAccessKey":"S","sessionToken":"T",
            "expiration":{expires}}}}}"#
        ),
    )
}

// "CreateToken", IAM Identity Center OIDC API Reference; members and window as botocore has them.
#[test]
fn a_login_that_has_expired_is_renewed_with_its_refresh_token() {
    let disk =
        Disk::default().with(TOKEN_FILE, &token("2026-01-02T02:00:00Z", "2026-02-02T00:00:00Z"));
    let mut renewals = 0;
    let script = move |now: u64, sent: &Sent| match &*sent.url {
        "https://oidc.eu-west-1.amazonaws.com/token" => {
            renewals += 1;
            assert_eq!(sent.method, "POST");
            assert!(sent.header("authorization").is_none());
            let body: serde_json::Value = serde_json::from_str(&sent.body).unwrap();
            let refresh = format!("refresh{renewals}");
            assert_eq!(
                body,
                serde_json::json!({"clientId": "id", "clientSecret": "hunter2",
                    "grantType": "refresh_token", "refreshToken": refresh})
            );
            let next = renewals + 1;
            say(
                200,
                format!(
                    r#"{{"accessToken":"new{renewals}","expiresIn":28800,"tokenType":"Bearer",
                    "refreshToken":"refresh{next}"}}"#
                ),
            )
        }
        url if url.starts_with("https://portal") => portal(now),
        _ => say(200, ""),
    };
    let mut world = World::new(profile(LOGGED_IN, "dev"), disk.clone(), script);
    world.ask().unwrap();
    assert_eq!(world.sent[1].header("x-amz-sso_bearer_token"), Some("new1"));
    // The other tools of the user go on with it.
    let file: serde_json::Value = serde_json::from_str(&disk.read(TOKEN_FILE)).unwrap();
    assert_eq!(
        (&file["accessToken"], &file["refreshToken"], &file["expiresAt"], &file["region"]),
        (&"new1".into(), &"refresh2".into(), &"2026-01-02T11:00:00Z".into(), &"eu-west-1".into())
    );
    // Not again while it is valid, also where the file could not be written.
    let _ = disk.with(TOKEN_FILE, &token("2026-01-02T02:00:00Z", "2026-02-02T00:00:00Z"));
    world.pass(3600);
    world.ask().unwrap();
    assert_eq!(world.count("https://oidc"), 1);
    world.pass(8 * 3600);
    world.ask().unwrap();
    assert_eq!(world.count("https://oidc"), 2);
}

#[test]
fn a_login_that_can_not_be_renewed_is_used_until_it_expires() {
    for (expires, registered, status, works) in [
        // Soon to expire: the old token is valid for a while.
        ("2026-01-02T03:10:00Z", "2026-02-02T00:00:00Z", 400, true),
        ("2026-01-02T03:10:00Z", "2026-01-01T00:00:00Z", 200, true),
        ("2026-01-02T02:00:00Z", "2026-02-02T00:00:00Z", 400, false),
        ("2026-01-02T02:00:00Z", "2026-01-01T00:00:00Z", 200, false),
    ] {
        let disk = Disk::default().with(TOKEN_FILE, &token(expires, registered));
        let script = move |now: u64, sent: &Sent| match &*sent.url {
            url if url.starts_with("https://oidc") => {
                say(status, r#"{"error":"invalid_grant","error_description":"expired"}"#)
            }
            url if url.starts_with("https://portal") => {
                assert_eq!(sent.header("x-amz-sso_bearer_token"), Some("old"));
                portal(now)
            }
            _ => say(200, ""),
        };
        let mut world = World::new(profile(LOGGED_IN, "dev"), disk, script);
        let result = world.ask();
        assert_eq!(result.is_ok(), works, "{expires}: {result:?}");
        if let Err(error) = result {
            let error = error.to_string();
            assert!(error.contains("aws sso login") && !error.contains("hunter2"), "{error}");
        }
    }
}

#[test]
fn a_profile_is_used_although_another_section_is_invalid() {
    let text = "[default]\nnonsense\n[profile good]\naws_access_key_id = A\n\
                aws_secret_access_key = hunter2\n";
    let config = AwsConfig::read(("config", text), ("credentials", "")).unwrap();
    let (empty, named) = (Environment::default(), environment(&[("AWS_PROFILE", "good")]));
    assert!(matches!(Resolver::new(&config, &empty).profile("good"), Ok(Source::Static(_))));
    assert!(Resolver::new(&config, &named).settings(None).is_ok());
    for error in [
        Resolver::new(&config, &empty).profile("default").unwrap_err(),
        Resolver::new(&config, &empty).default_chain().unwrap_err(),
        Resolver::new(&config, &empty).settings(None).unwrap_err(),
    ] {
        assert_eq!(error.to_string(), "config:2: the line has neither `=` nor `:`");
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

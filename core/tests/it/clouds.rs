//! Clouds by name: profiles, names that are none, and the variables' own cloud.
//!
//! What a cloud leads to is compared with openstacksdk by the vectors of `clouds-yaml`.

use apus_core::keystone::clouds::{Cloud, CloudAuth, Clouds};
use apus_core::keystone::{Domain, Identity, Interface, Project, Scope, User};

fn cloud(text: &str) -> Result<Cloud, String> {
    let text = format!("clouds:\n  prod: {text}\n");
    let clouds = Clouds::parse(Some(("clouds.yaml", &text)), None, None).unwrap();
    clouds.cloud(None).map_err(|error| error.to_string())
}

fn of_variables(variables: &[(&str, &str)]) -> Result<Cloud, String> {
    let clouds = Clouds::default().with_environment(variables.iter().copied()).unwrap();
    clouds.cloud(None).map_err(|error| error.to_string())
}

fn auth_url(cloud: &Cloud) -> &str {
    let CloudAuth::Login { auth_url, .. } = &cloud.auth else { panic!("{cloud:?}") };
    auth_url
}

const USER: &str = "username: u, password: p, user_domain_id: d";

// The facts are those of earlier releases of openstacksdk, before it requested the two from a URL.
#[test]
fn profiles_that_openstacksdk_requests_from_a_url_are_known() {
    let ovh = cloud(&format!("{{profile: ovh, region_name: GRA7, auth: {{{USER}}}}}")).unwrap();
    assert_eq!(auth_url(&ovh), "https://auth.cloud.ovh.net/");
    assert_eq!((ovh.endpoint.region.as_deref(), ovh.warnings.len()), (Some("GRA7"), 0));
    let vexxhost = cloud(&format!("{{profile: vexxhost, auth: {{{USER}}}}}")).unwrap();
    assert_eq!(auth_url(&vexxhost), "https://auth.vexxhost.net/v3");
    assert_eq!(vexxhost.endpoint.region.as_deref(), Some("ca-ymq-1"));
}

#[test]
fn an_unknown_profile_is_named_where_the_auth_url_should_come_from_it() {
    for profile in ["ovhh", "https://cloud.example"] {
        let error = cloud(&format!("{{profile: '{profile}', auth: {{{USER}}}}}")).unwrap_err();
        assert!(error.contains(&format!("profile: no such profile {profile:?}")), "{error}");
        assert!(error.contains("ovh,"), "{error}");
        let text = format!("{{profile: '{profile}', auth: {{auth_url: 'https://k/v3', {USER}}}}}");
        let [warning] = &cloud(&text).unwrap().warnings[..] else { panic!() };
        assert!(warning.contains("no such profile"), "{warning}");
    }
}

#[test]
fn a_name_that_is_no_setting_is_warned_about() {
    for (wrong, right) in [
        ("region", "region_name"),
        ("cafile", "cacert"),
        ("verify_ssl", "verify"),
        ("endpoint-override", "object_store_endpoint_override"),
        ("project", "auth.project_name"),
    ] {
        let text = format!("{{{wrong}: x, auth: {{auth_url: 'https://k/v3', {USER}}}}}");
        let [warning] = &cloud(&text).unwrap().warnings[..] else { panic!("{wrong}") };
        assert!(warning.ends_with(&format!("ignored, use {right}")), "{warning}");
    }
    let right = format!("{{region_name: x, auth: {{auth_url: 'https://k/v3', {USER}}}}}");
    assert_eq!(cloud(&right).unwrap().warnings, [""; 0]);
}

#[test]
fn an_error_in_the_variables_names_the_variable() {
    let url = ("OS_AUTH_URL", "https://k.example/v3");
    for (variables, names) in [
        (&[url, ("OS_USERNAME", "u")][..], &["OS_PASSWORD: missing option"][..]),
        (
            &[url, ("OS_USERNAME", "u"), ("OS_PASSWORD", "p")],
            &["OS_USER_DOMAIN_NAME: ", "with OS_USERNAME unless OS_USER_DOMAIN_ID"],
        ),
        (&[url, ("OS_TOKEN", "t")], &["OS_TOKEN belongs to OS_AUTH_TYPE token"]),
        (&[url, ("OS_AUTH_TYPE", "v9")], &["OS_AUTH_TYPE: unknown auth_type"]),
        (
            &[url, ("OS_USER_ID", "u"), ("OS_PASSWORD", "p"), ("OS_INTERFACE", "near")],
            &["OS_INTERFACE: "],
        ),
    ] {
        let error = of_variables(variables).unwrap_err();
        assert!(names.iter().all(|name| error.contains(name)), "{error}");
        assert!(!error.contains("auth."), "{error}");
    }
}

#[test]
fn an_auth_url_is_given_to_the_variables_cloud_alone_and_only_where_it_has_none() {
    let user = [("OS_USERNAME", "u"), ("OS_PASSWORD", "p"), ("OS_USER_DOMAIN_ID", "d")];
    let given = |variables: &[(&str, &str)]| {
        let clouds = Clouds::default().with_environment(variables.iter().copied()).unwrap();
        clouds.with_auth_url("https://given/v3").cloud(None)
    };
    assert_eq!(auth_url(&given(&user).unwrap()), "https://given/v3");
    let empty = [&user[..], &[("OS_AUTH_URL", "")]].concat();
    assert_eq!(auth_url(&given(&empty).unwrap()), "https://given/v3");
    let own = [&user[..], &[("OS_AUTH_URL", "https://own/v3")]].concat();
    assert_eq!(auth_url(&given(&own).unwrap()), "https://own/v3");
    assert!(given(&[("OS_REGION_NAME", "r")]).is_err());
}

// As openstacksdk 4.22 reads them: the cloud of the variables begins with the defaults, and a profile
// is below it.
#[test]
fn a_profile_changes_no_default_of_the_variables() {
    let public = "public-clouds:\n  acme:\n    interface: internal\n    verify: false\n    cacert: /ca\n    \
                  auth_type: v3token\n    auth: {auth_url: 'https://acme.example/v3', \
                  user_domain_name: Default, project_domain_name: Default}\n";
    let clouds = Clouds::parse(None, None, Some(("clouds-public.yaml", public))).unwrap();
    let variables = [
        ("OS_PROFILE", "acme"),
        ("OS_USERNAME", "u"),
        ("OS_PASSWORD", "p"),
        ("OS_PROJECT_NAME", "x"),
        ("OS_DOMAIN_ID", "d3"),
    ];
    let cloud = clouds.with_environment(variables).unwrap().cloud(None).unwrap();
    assert_eq!(auth_url(&cloud), "https://acme.example/v3");
    assert_eq!(cloud.endpoint.interfaces, [Interface::Public]);
    assert_eq!((cloud.tls.insecure, cloud.tls.cacert.as_deref()), (false, None));
    let CloudAuth::Login { identity, scope, .. } = &cloud.auth else { panic!("{cloud:?}") };
    // The id of both has precedence over the names of the profile.
    let d3 = || Domain::Id("d3".to_owned());
    assert_eq!(*scope, Scope::Project(Project::named("x", d3())));
    let Identity::Password { user, .. } = identity else { panic!("{identity:?}") };
    assert_eq!(*user, User::named("u", d3()));
}

/// openstacksdk reads `endpoint_type` as another name of `interface`, of which the later counts.
#[test]
fn the_interface_of_a_cloud_replaces_that_of_its_profile_under_either_name() {
    let keys = ["object_store_endpoint_type", "object_store_interface"];
    for (profile, own) in [(keys[0], keys[1]), (keys[1], keys[0]), ("endpoint_type", "interface")] {
        let public = format!("public-clouds:\n  acme: {{{profile}: publicURL}}\n");
        let text = format!(
            "clouds:\n  a:\n    profile: acme\n    {own}: internal\n    auth: {{auth_url: \
             'https://k.example/v3', username: u, password: p, project_id: x, \
             user_domain_id: default}}\n"
        );
        let public = Some(("clouds-public.yaml", public.as_str()));
        let clouds = Clouds::parse(Some(("clouds.yaml", text.as_str())), None, public).unwrap();
        let cloud = clouds.cloud(Some("a")).unwrap();
        assert_eq!(cloud.endpoint.interfaces, [Interface::Internal], "{own} over {profile}");
    }
}

/// The values of a cloud may be secret wherever they are written.
#[test]
fn no_error_and_no_warning_prints_a_value_that_may_be_a_secret() {
    let login = "auth_url: 'https://k/v3', username: u, user_domain_id: d";
    for text in [
        "hunter2-word".to_owned(),
        "[hunter2-word]".to_owned(),
        "{auth: hunter2-word}".to_owned(),
        format!("{{auth: {{{login}, password: [hunter2-word]}}}}"),
        format!("{{auth: {{{login}, password: {{hunter2-word: x}}}}}}"),
        format!("{{auth: {{{login}, password: hunter2-word, token: hunter2-word}}}}"),
        format!("{{auth: {{{login}, passwd: hunter2-word}}}}"),
        format!("{{auth: {{{login}, pass: hunter2-word, password: p}}}}"),
        format!("{{auth_type: v3password, password: hunter2-word, auth: {{{login}}}}}"),
        "{auth: {auth_url: 'https://u:hunter2-word@k/v3', username: u, password: p}}".to_owned(),
        "{auth: {auth_url: 'k:hunter2-word@', username: u, password: p}}".to_owned(),
        "{auth: {auth_url: 'https://k/v3?p=hunter2-word', username: u, password: p}}".to_owned(),
        format!("{{auth_type: nonsense, auth: {{{login}, password: hunter2-word}}}}"),
        format!("{{auth: {{{login}, password: !x hunter2-word}}}}"),
        format!("{{auth: {{{login}, password: \"hunter2-word\\q\"}}}}"),
        format!("{{auth: {{{login}, password: 'hunter2-word' x}}}}"),
        format!("{{insecure: hunter2-word, auth: {{{login}, password: hunter2-word}}}}"),
        format!("{{auth: {{{login}, application_credential_secret: hunter2-word}}}}"),
    ] {
        let text = format!("clouds:\n  prod: {text}\n");
        let shown = match Clouds::parse(Some(("clouds.yaml", &text)), None, None) {
            Ok(clouds) => match clouds.cloud(None) {
                Ok(cloud) => {
                    let login = cloud.login().map(|login| format!("{login:?}"));
                    format!("{cloud:?} {:?} {login:?} {clouds:?}", cloud.warnings)
                }
                Err(error) => format!("{error} {error:?} {clouds:?}"),
            },
            Err(error) => format!("{error} {error:?}"),
        };
        assert!(!shown.contains("hunter2"), "{text}{shown}");
    }
}

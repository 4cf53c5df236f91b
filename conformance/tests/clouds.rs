//! Where both transports find a user's clouds, in real directories.

use std::fs;
use std::path::Path;

use apus_conformance::server::Scripted;
use apus_core::keystone::Identity;
use apus_core::keystone::clouds::{Cloud, CloudAuth, CloudTls};
use tempfile::TempDir;

/// Runs each of these functions over either transport.
macro_rules! both {
    ($($test:ident),+ $(,)?) => {
        mod blocking {
            $(#[test]
            fn $test() {
                $test!(apus_blocking);
            })+
        }

        mod hyper {
            $(#[test]
            fn $test() {
                $test!(apus_async);
            })+
        }
    };
}

/// A `clouds.yaml` of one cloud, whose user has the name of the file.
fn put(directory: &Path, name: &str, cloud: &str) {
    let user = name.replace('.', "-");
    let auth = format!(
        "{{ auth_url: 'https://k.example/v3', username: {user}, user_domain_id: d, password: p }}"
    );
    let text = match name.contains("json") {
        true => format!("{{\"clouds\": {{\"{cloud}\": {{\"auth\": {}}}}}}}", json(&user)),
        false => format!("clouds:\n  {cloud}:\n    auth: {auth}\n"),
    };
    fs::create_dir_all(directory).unwrap();
    fs::write(directory.join(name), text).unwrap();
}

fn json(user: &str) -> String {
    format!(
        "{{\"auth_url\": \"https://k.example/v3\", \"username\": \"{user}\", \
         \"user_domain_id\": \"d\", \"password\": \"p\"}}"
    )
}

fn password(cloud: &Cloud) -> &str {
    match &cloud.auth {
        CloudAuth::Login { identity: Identity::Password { password, .. }, .. } => password.expose(),
        other => panic!("{other:?}"),
    }
}

fn folders() -> (TempDir, [std::path::PathBuf; 3]) {
    let root = TempDir::new().unwrap();
    let folders = ["a", "b", "c"].map(|name| root.path().join(name));
    (root, folders)
}

macro_rules! the_first_directory_counts {
    ($transport:ident) => {{
        let (_root, folders) = super::folders();
        let search = || $transport::openstack::Search::within(folders.clone());
        assert_eq!(search().read().unwrap().names().count(), 0);
        super::put(&folders[2], "clouds.yaml", "third");
        assert_eq!(search().read().unwrap().names().collect::<Vec<_>>(), ["third"]);
        // In one directory `.yaml` precedes `.yml`, and that precedes `.json`.
        for (name, cloud) in
            [("clouds.json", "json"), ("clouds.yml", "yml"), ("clouds.yaml", "yaml")]
        {
            super::put(&folders[1], name, cloud);
            assert_eq!(search().read().unwrap().names().collect::<Vec<_>>(), [cloud]);
        }
        let file = folders[1].join("clouds.json");
        let clouds = search().with_file(&file).read().unwrap();
        assert_eq!(clouds.names().collect::<Vec<_>>(), ["json"]);
    }};
}

macro_rules! secrets_may_be_elsewhere {
    ($transport:ident) => {{
        let (_root, folders) = super::folders();
        super::put(&folders[0], "clouds.yaml", "prod");
        std::fs::create_dir_all(&folders[1]).unwrap();
        let secure = "clouds: { prod: { auth: { password: 0123 } } }";
        std::fs::write(folders[1].join("secure.yaml"), secure).unwrap();
        let search = $transport::openstack::Search::within(folders.clone());
        let clouds = search.read().unwrap();
        assert_eq!(super::password(&clouds.cloud(None).unwrap()), "0123");
        assert!(!format!("{search:?}{clouds:?}").contains("0123"));
    }};
}

macro_rules! variables_count_when_they_are_given {
    ($transport:ident) => {{
        let (_root, folders) = super::folders();
        super::put(&folders[0], "clouds.yaml", "prod");
        super::put(&folders[1], "mine.yaml", "mine");
        let search = || $transport::openstack::Search::within([&folders[0]]);
        let variables = |pairs: &[(&str, &str)]| {
            let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
            pairs.iter().map(own).collect::<Vec<_>>()
        };
        assert_eq!(search().read().unwrap().cloud(None).unwrap().name, "prod");

        let mine = folders[1].join("mine.yaml");
        let named = variables(&[("OS_CLIENT_CONFIG_FILE", mine.to_str().unwrap())]);
        let clouds = search().with_variables(named).read().unwrap();
        assert_eq!(clouds.cloud(None).unwrap().name, "mine");

        let login = variables(&[
            ("OS_AUTH_URL", "https://k.example"),
            ("OS_USERNAME", "u"),
            ("OS_PASSWORD", "hunter2"),
            ("OS_USER_DOMAIN_ID", "default"),
            ("HOME", "/nowhere"),
        ]);
        let search_with = search().with_variables(login);
        let cloud = search_with.read().unwrap().cloud(None).unwrap();
        assert_eq!((cloud.name.as_str(), super::password(&cloud)), ("envvars", "hunter2"));
        assert!(!format!("{search_with:?}{cloud:?}").contains("hunter2"));

        // What is named has to be there.
        let gone = variables(&[("OS_CLIENT_SECURE_FILE", "/nowhere/secure.yaml")]);
        let error = search().with_variables(gone).read().unwrap_err().to_string();
        assert!(error.contains("/nowhere/secure.yaml"), "{error}");
    }};
}

macro_rules! what_is_wrong_names_its_file {
    ($transport:ident) => {{
        let (_root, folders) = super::folders();
        super::put(&folders[0], "clouds.yaml", "prod");
        let file = folders[0].join("clouds.yaml");
        std::fs::write(&file, "clouds:\n  prod: [\n").unwrap();
        let search = $transport::openstack::Search::within(folders.clone());
        let error = search.read().unwrap_err().to_string();
        assert!(error.contains(file.to_str().unwrap()), "{error}");
        std::fs::write(&file, [b'a', b':', b' ', 0xff]).unwrap();
        let error = search.read().unwrap_err().to_string();
        assert!(error.contains(file.to_str().unwrap()), "{error}");
    }};
}

macro_rules! files_of_certificates_are_read {
    ($transport:ident) => {{
        use super::CloudTls;

        let config = $transport::TransportConfig::new;
        assert!(config().cloud_tls(&CloudTls::default()).is_ok());
        let tls = CloudTls { cacert: Some("/nowhere/ca.pem".into()), ..CloudTls::default() };
        let error = config().cloud_tls(&tls).unwrap_err().to_string();
        assert!(error.contains("/nowhere/ca.pem"), "{error}");
        let unchecked = CloudTls { insecure: true, ..tls };
        assert!(config().cloud_tls(&unchecked).is_ok());
        let (_root, folders) = super::folders();
        std::fs::create_dir_all(&folders[0]).unwrap();
        let file = folders[0].join("ca.pem");
        std::fs::write(&file, "no certificate").unwrap();
        let tls = CloudTls { cacert: Some(file.display().to_string()), ..CloudTls::default() };
        assert!(config().cloud_tls(&tls).is_err());
        let server = super::Scripted::replay_tls(Vec::new()).unwrap();
        std::fs::write(&file, server.ca_pem().unwrap()).unwrap();
        assert!(config().cloud_tls(&tls).is_ok());
    }};
}

both! {
    the_first_directory_counts,
    secrets_may_be_elsewhere,
    variables_count_when_they_are_given,
    what_is_wrong_names_its_file,
    files_of_certificates_are_read,
}

//! Paths of the files with clouds.

/// A file with clouds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloudsFile {
    /// `clouds.yaml`: the clouds.
    Clouds,
    /// `secure.yaml`: the secrets of the clouds.
    Secure,
    /// `clouds-public.yaml`: profiles.
    Public,
}

impl CloudsFile {
    /// All of them, in the order of the arguments of [`Clouds::parse`](super::Clouds::parse).
    pub const ALL: [Self; 3] = [Self::Clouds, Self::Secure, Self::Public];

    /// Returns the names that it may have in a directory; the first that exists is read.
    pub fn names(self) -> [&'static str; 3] {
        match self {
            Self::Clouds => ["clouds.yaml", "clouds.yml", "clouds.json"],
            Self::Secure => ["secure.yaml", "secure.yml", "secure.json"],
            Self::Public => ["clouds-public.yaml", "clouds-public.yml", "clouds-public.json"],
        }
    }

    /// Returns the variable that names a file to read before those in the directories.
    pub fn variable(self) -> Option<&'static str> {
        match self {
            Self::Clouds => Some("OS_CLIENT_CONFIG_FILE"),
            Self::Secure => Some("OS_CLIENT_SECURE_FILE"),
            Self::Public => None,
        }
    }
}

/// Returns the directories to search, in this order and for each file by itself: the current one,
/// those of the user, those of the system. `config_home` is `XDG_CONFIG_HOME`.
pub fn directories(home: Option<&str>, config_home: Option<&str>) -> Vec<String> {
    let config_home = config_home.filter(|home| !home.is_empty());
    let mut all = vec![".".to_owned()];
    all.extend(config_home.map(|home| format!("{home}/openstack")));
    all.extend(home.map(|home| format!("{home}/.config/openstack")));
    all.extend(["/etc/xdg/openstack", "/etc/openstack"].map(str::to_owned));
    all
}

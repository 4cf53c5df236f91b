//! `apus completions`: writes a completion script for a shell.
//!
//! The scripts of bash, zsh and fish also complete the ids of backends and the names of objects,
//! which they request from `apus complete`.

use apus_core::store::StoreBackend;
use apus_core::{s3, swift};
use clap::{CommandFactory as _, ValueEnum};
use clap_complete::Shell;
use serde_json::json;

use crate::Stage;
use crate::arguments::Arguments;
use crate::exit::{Exit, Failure};
use crate::settings::Needs;

pub(crate) fn run(stage: &Stage, shell: Shell) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "apus", &mut script);
    let mut script = String::from_utf8_lossy(&script).into_owned();
    match shell {
        Shell::Bash => script += BASH,
        Shell::Fish => script += FISH,
        Shell::Zsh => script = zsh(&script),
        _ => {}
    }
    stage.output.raw(script.as_bytes())?;
    Ok(Exit::Done)
}

/// What a script completes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Completed {
    /// The ids of the backends of the configuration.
    Backends,
    /// The names of objects of the backend.
    Names,
}

/// Prints the words that begin with `prefix`, each on a line.
pub(crate) fn complete(stage: &Stage, what: Completed, prefix: &str) -> Result<Exit, Failure> {
    match what {
        Completed::Backends => {
            let sound = stage.which.read(Needs::Places)?;
            for id in sound.configuration.backends.keys().filter(|id| id.starts_with(prefix)) {
                stage.output.listed(&json!({ "backend": id }), id)?;
            }
        }
        Completed::Names => {
            for name in names(stage, prefix)? {
                stage.output.listed(&json!({ "name": name }), &name)?;
            }
        }
    }
    Ok(Exit::Done)
}

/// Lists the first names that begin with `prefix`.
fn names(stage: &Stage, prefix: &str) -> Result<Vec<String>, Failure> {
    let open = stage.open()?;
    match open.backend()? {
        StoreBackend::S3(store) => {
            let bucket = open.bucket(store)?;
            let mut list = s3::ListObjectsV2::new(&bucket.name);
            list.prefix = Some(prefix.to_owned());
            list.max_keys = Some(MOST);
            Ok(bucket.call(list)?.contents.into_iter().map(|object| object.key).collect())
        }
        StoreBackend::Swift(store) => {
            let mut list = swift::GetContainer::new(store.options().container(prefix));
            list.prefix = Some(prefix.to_owned());
            list.limit = Some(MOST);
            let page = open.account(store)?.call(list)?;
            Ok(page.objects().map(|object| object.name.clone()).collect())
        }
        _ => Ok(Vec::new()),
    }
}

/// Adds functions to the script of zsh, and uses them for backends and locations.
fn zsh(script: &str) -> String {
    let lines = script.lines().map(|line| {
        let is_backend = line.contains("--backend=[") || line.contains("--to=[");
        match (is_backend, line.contains("location -- ")) {
            (true, _) => line.replace(":ID:_default", ":ID:_apus_backends"),
            (_, true) => line.replace(":_default", ":_apus_names"),
            _ => line.to_owned(),
        }
    });
    let lines: Vec<String> = lines.collect();
    let script = lines.join("\n");
    match script.split_once("\n_apus() {") {
        Some((before, after)) => format!("{before}\n{ZSH}\n_apus() {{{after}\n"),
        None => script + "\n",
    }
}

/// How many names are completed at most.
const MOST: u32 = 200;

const BASH: &str = r#"
_apus_more() {
    local cur="${COMP_WORDS[COMP_CWORD]}" prev="${COMP_WORDS[COMP_CWORD-1]}" what= word
    local -a given=()
    for ((word = 1; word < COMP_CWORD; word++)); do
        case "${COMP_WORDS[word]}" in
            -c|--config|-s|--store|-b|--backend|--token-file|--profile)
                given+=("${COMP_WORDS[word]}" "${COMP_WORDS[word+1]}") ;;
            -e|--from-environment) given+=(-e) ;;
            get|stat|rm|cat|copy|presign|tempurl) what=names ;;
        esac
    done
    case "$prev" in
        -b|--backend) what=backends; given=("${given[@]:0:${#given[@]}-2}") ;;
        --to) what=backends ;;
        -*) what= ;;
    esac
    case "$cur" in -*) what= ;; esac
    if [ -n "$what" ]; then
        local IFS=$'\n'
        COMPREPLY=($(apus "${given[@]}" -q complete "$what" -- "$cur" 2>/dev/null))
    else
        _apus "$@"
    fi
}
complete -F _apus_more -o nosort -o bashdefault -o default apus
"#;

const FISH: &str = r#"
complete -c apus -s b -l backend -x -a "(apus -q complete backends 2>/dev/null)"
complete -c apus -n "__fish_seen_subcommand_from copy" -l to -x -a "(apus -q complete backends 2>/dev/null)"
complete -c apus -n "__fish_seen_subcommand_from get stat rm cat copy presign tempurl" -f -a "(apus -q complete names -- (commandline -ct) 2>/dev/null)"
"#;

const ZSH: &str = r#"
_apus_backends() {
    local -a found=("${(@f)$(apus -q complete backends 2>/dev/null)}")
    compadd -a found
}
_apus_names() {
    local -a found=("${(@f)$(apus -q complete names -- "$PREFIX" 2>/dev/null)}")
    compadd -a found
}
"#;

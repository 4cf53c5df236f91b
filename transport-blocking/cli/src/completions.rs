//! `apus completions`: writes a completion script for a shell.
//!
//! The scripts of bash, zsh and fish also complete the ids of backends and the names of objects,
//! which they request from `apus complete`.

use std::ffi::OsString;
use std::path::Path;

use apus_core::store::StoreBackend;
use apus_core::{s3, swift};
use clap::{CommandFactory as _, Parser as _, ValueEnum};
use clap_complete::Shell;
use serde_json::json;

use crate::Stage;
use crate::address::Address;
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

/// Prints the words that begin with `prefix`, each on a line. `words` is the command line so far:
/// its options say which configuration is read.
pub(crate) fn complete(
    stage: &Stage,
    what: Completed,
    prefix: &str,
    words: &[OsString],
) -> Result<Exit, Failure> {
    let of_line;
    let stage = match words {
        [] => stage,
        words => {
            of_line = stage_of(words, stage)?;
            &of_line
        }
    };
    match what {
        Completed::Backends => {
            let sound = stage.which.read(Needs::Places)?;
            for id in sound.configuration.backends.keys().filter(|id| id.starts_with(prefix)) {
                stage.output.listed(&json!({ "backend": id }), id)?;
            }
        }
        Completed::Names => {
            // A name with a line's end would be two words.
            for name in names(stage, prefix)?.iter().filter(|name| !name.contains(['\n', '\r'])) {
                stage.output.listed(&json!({ "name": name }), name)?;
            }
        }
    }
    Ok(Exit::Done)
}

/// Returns the stage of the command line whose words these are, without its command.
fn stage_of(words: &[OsString], stage: &Stage) -> Result<Stage, Failure> {
    let mut line = vec![OsString::from("apus"), OsString::from("-q")];
    let mut words = words.iter().skip(1);
    while let Some(word) = words.next() {
        let text = word.to_string_lossy();
        let name = text.split_once('=').map_or(&*text, |(name, _)| name);
        if FLAGS.contains(&&*text) || name.len() < text.len() && VALUED.contains(&name) {
            line.push(word.clone());
        } else if VALUED.contains(&&*text)
            && let Some(value) = words.next()
        {
            line.extend([word.clone(), at_home(value)]);
        }
    }
    line.extend(["complete", "backends"].map(OsString::from));
    let Arguments { which, backend, bucket, .. } = Arguments::try_parse_from(line)
        .map_err(|_| Failure::usage("the command line so far can't be read"))?;
    Ok(Stage { which, backend, bucket, other: None, output: stage.output })
}

/// Returns a path as the shell would have it, if it begins with `~/`.
fn at_home(path: &OsString) -> OsString {
    match (path.to_str().and_then(|path| path.strip_prefix("~/")), std::env::var_os("HOME")) {
        (Some(rest), Some(home)) => Path::new(&home).join(rest).into_os_string(),
        _ => path.clone(),
    }
}

/// Lists the first names that begin with `prefix`, with the id of their backend if that is written.
fn names(stage: &Stage, prefix: &str) -> Result<Vec<String>, Failure> {
    let open = stage.open_briefly()?;
    let (id, name) = match open.address(prefix)? {
        Address::Location(_) => return Ok(Vec::new()),
        Address::Object(id, name) => (id, name),
    };
    let found: Vec<String> = match open.backend_of(id)? {
        StoreBackend::S3(store) => {
            let bucket = open.bucket(store)?;
            let mut list = s3::ListObjectsV2::new(&bucket.name);
            list.prefix = Some(name.to_owned());
            list.max_keys = Some(MOST);
            bucket.call(list)?.contents.into_iter().map(|object| object.key).collect()
        }
        StoreBackend::Swift(store) => {
            let mut list = swift::GetContainer::new(store.options().container(name));
            list.prefix = Some(name.to_owned());
            list.limit = Some(MOST);
            let page = open.account(store)?.call(list)?;
            page.objects().map(|object| object.name.clone()).collect()
        }
        _ => Vec::new(),
    };
    Ok(match id {
        Some(id) => found.into_iter().map(|name| format!("{id}:{name}")).collect(),
        None => found,
    })
}

/// Adds functions to the script of zsh, and uses them for backends and locations.
fn zsh(script: &str) -> String {
    let lines = script.lines().map(|line| {
        let is_backend = ["-b+[", "--backend=[", "--to=["].iter().any(|it| line.contains(it));
        let is_name = NAMED.iter().any(|argument| line.contains(argument));
        match (is_backend, is_name) {
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

/// The arguments in the script of zsh that are names or prefixes.
const NAMED: [&str; 3] = [":location -- ", ":locations -- ", ":prefix -- "];

/// The options of a command line that say which configuration is read, with a value each.
const VALUED: [&str; 12] = [
    "-c",
    "--config",
    "-s",
    "--store",
    "-O",
    "--option",
    "-b",
    "--backend",
    "--bucket",
    "--container",
    "--token-file",
    "--profile",
];
/// Those without a value.
const FLAGS: [&str; 2] = ["-e", "--from-environment"];

/// How many names are completed at most.
const MOST: u32 = 200;

/// The words are those of the line up to the cursor, as `read` splits them: readline splits them at
/// colons too, and takes only what follows the last one for the word to be completed.
const BASH: &str = r#"
_apus_more() {
    local line="${COMP_LINE:0:COMP_POINT}" what= cur= prev= quote= colon= word
    local -a words=()
    IFS=$' \t' read -a words <<<"$line"
    case "$line" in
        *[!\\][[:space:]]) prev="${words[${#words[@]}-1]}" ;;
        *) cur="${words[${#words[@]}-1]}" prev="${words[${#words[@]}-2]}" ;;
    esac
    for word in "${words[@]}"; do
        case "$word" in get|stat|rm|cat|copy|mv|presign|tempurl|ls|du) what=names ;; esac
    done
    case "$prev" in
        -b|--backend|--to) what=backends ;;
        -R|-r|-0) ;;
        -*) what= ;;
    esac
    case "$cur" in
        -*) what= ;;
        [\"\']*) quote="${cur:0:1}" cur="${cur:1}" ;;
    esac
    if [ -z "$what" ]; then
        _apus "$@"
        return
    fi
    case "$cur$COMP_WORDBREAKS" in
        *:*:*) colon="${cur%"${cur##*:}"}" ;;
    esac
    [ -n "$quote" ] || [ -z "$colon" ] || printf -v colon %q "$colon"
    COMPREPLY=()
    while IFS= read -r word; do
        [ -n "$quote" ] || printf -v word %q "$word"
        COMPREPLY+=("${word#"$colon"}")
    done < <(apus -q complete "$what" "$cur" -- "${words[@]}" 2>/dev/null)
}
complete -F _apus_more -o nosort -o bashdefault -o default apus
"#;

const FISH: &str = r#"
complete -c apus -s b -l backend -x -a "(apus -q complete backends -- (commandline -opc) 2>/dev/null)"
complete -c apus -n "__fish_seen_subcommand_from copy mv" -l to -x -a "(apus -q complete backends -- (commandline -opc) 2>/dev/null)"
complete -c apus -n "__fish_seen_subcommand_from get stat rm cat copy mv presign tempurl ls du" -f -a "(apus -q complete names (commandline -ct) -- (commandline -opc) 2>/dev/null)"
"#;

const ZSH: &str = r#"
_apus_backends() {
    local -a found=("${(@f)$(apus -q complete backends -- "${(@Qz)LBUFFER}" 2>/dev/null)}")
    compadd -- $found
}
_apus_names() {
    local -a found=("${(@f)$(apus -q complete names "${(Q)PREFIX}" -- "${(@Qz)LBUFFER}" 2>/dev/null)}")
    compadd -- $found
}
"#;

"""Edits of the core, each behind a switch, in a copy of the tree: one build has them all.

An edit is an object with a number `n`, the `file` that it is in, and a `genre`: what cargo-mutants
prints of a mutant (`span`, `replacement`), or `Text` (`find`, `replacement`), which is put into a
function a second time. The program in `mutants/` puts them in. `APUS_MUTANT=n` chooses one.
"""
import json
import os
import pathlib
import re
import resource
import signal
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
COPY = TARGET / "planted"
# Both for every command: with other features of their dependencies the core would be compiled anew.
PACKAGES = ["-p", "apus-core", "-p", "apus-testing", "--all-features"]
# Cargo names what it builds of a workspace by where it is in the workspace, so that two trees of the
# same packages take each other's for their own in one target directory. Another profile for these is
# another name; their dependencies are shared.
OPTIMISED = os.environ.get("APUS_PLANTED_OPT_LEVEL", "0")
APART = "".join(f"\n[profile.dev.package.{name}]\ncodegen-units = 200\ndebug = false\nopt-level = {OPTIMISED}\n"
                for name in ("apus-core", "apus-testing"))
# With `APUS_REACHED`, each thread writes into that file which switches it reached, and how long it took.
SWITCH = """
fn mutant(number: u32) -> bool {
    use std::io::Write as _;
    struct Reached(String, std::time::Instant, std::collections::BTreeSet<u32>);
    impl Drop for Reached {
        fn drop(&mut self) {
            let Ok(path) = std::env::var("APUS_REACHED") else { return };
            let mut file = std::fs::File::options().create(true).append(true).open(path).unwrap();
            let line = format!("{} {} {:?}\\n", self.0, self.1.elapsed().as_micros(), self.2);
            file.write_all(line.as_bytes()).unwrap();
        }
    }
    fn reached() -> std::cell::RefCell<Reached> {
        let name = std::thread::current().name().unwrap_or("?").to_owned();
        std::cell::RefCell::new(Reached(name, std::time::Instant::now(), Default::default()))
    }
    thread_local!(static REACHED: std::cell::RefCell<Reached> = reached());
    static CHOSEN: std::sync::OnceLock<(u32, bool)> = std::sync::OnceLock::new();
    let (chosen, records) = CHOSEN.get_or_init(|| {
        let chosen = std::env::var("APUS_MUTANT").map_or(0, |text| text.parse().unwrap());
        (chosen, std::env::var_os("APUS_REACHED").is_some())
    });
    if *records {
        let _ = REACHED.try_with(|reached| reached.borrow_mut().2.insert(number));
    }
    *chosen == number
}
"""
LIB = "core/src/lib.rs"
# An edit may make what runs go on for ever: times as long as without it, and seconds of the processor.
TIMES, SECONDS = 5, 5
MEMORY = 4 << 30


def copy():
    """The tree as it is now, what is not committed too; what did not change keeps its time."""
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                            cwd=ROOT, check=True, capture_output=True).stdout
    files = {name for name in listed.decode().split("\0") if name and (ROOT / name).is_file()}
    for name in files:
        content = (ROOT / name).read_bytes()
        write(name, content + APART.encode() if name == "Cargo.toml" else content)
    for path in COPY.rglob("*"):
        if path.is_file() and str(path.relative_to(COPY)) not in files:
            path.unlink()


def write(name, content):
    content = content.encode() if isinstance(content, str) else content
    path = COPY / name
    if path.exists() and path.read_bytes() == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def put(edits):
    """Puts edits into the copy. Returns the numbers of those that can't be switched, and of those
    that don't compile."""
    remaining, left_out, broken = {edit["n"]: edit for edit in edits}, set(), set()
    while True:
        texts = switched(edits, remaining, left_out)
        for file, text in texts.items():
            write(file, text + (SWITCH if file == LIB else ""))
        wrong = refused() & remaining.keys()
        if not wrong:
            return left_out, broken
        broken |= wrong
        for number in wrong:
            del remaining[number]


def switched(edits, remaining, left_out):
    """The texts of the files with what remains; what can't be switched no longer does."""
    tool = ["cargo", "run", "-q", "--locked", "--manifest-path", str(HERE / "mutants" / "Cargo.toml"),
            "--target-dir", str(TARGET / "mutants"), "--", str(ROOT)]
    said = json.loads(subprocess.run(tool, check=True, input=json.dumps(list(remaining.values())), text=True,
                                     stdout=subprocess.PIPE).stdout)
    for number in said["left_out"]:
        left_out.add(number)
        del remaining[number]
    untouched = {LIB, *(edit["file"] for edit in edits)} - said["files"].keys()
    return {**said["files"], **{file: (ROOT / file).read_text() for file in untouched}}


def refused():
    """The numbers of those that the compiler refuses, as far as it sees in one run."""
    done = cargo(["check", "-q", *PACKAGES, "--message-format", "json"])
    if not done.returncode:
        return set()
    inside, near, after, said = set(), set(), set(), []
    for line in done.stdout.splitlines():
        message = json.loads(line).get("message") if line.startswith("{") else None
        if not message or message.get("level") != "error":
            continue
        said.append(message.get("rendered") or "")
        for span in message["spans"]:
            path = COPY / span["file_name"]
            # Spans of the standard library are of files that need not be there.
            text = path.read_bytes() if span["file_name"].startswith("core/") else b""
            for found in re.finditer(rb"/\*\[(\d+)\*/.*?/\*\1\]\*/", text, re.DOTALL):
                if found.start() <= span["byte_start"] and span["byte_end"] <= found.end() and span["is_primary"]:
                    inside.add(int(found[1]))
                elif found.start() < span["byte_end"] and span["byte_start"] < found.end():
                    near.add(int(found[1]))
            # An arm that has a guard now is missed at the beginning of its `match`.
            if span["is_primary"]:
                after.update(map(int, re.findall(rb"/\*\[(\d+)\*/ if !", text[span["byte_end"]:])[:1]))
    if not inside and not near and not after:
        sys.exit("the copy does not compile:\n" + ("\n".join(said) or tail(done.stdout)))
    return inside or near or after


def built():
    """The programs of the core's tests and of the simulator, by name."""
    done = cargo(["test", "-q", "--no-run", *PACKAGES, "--lib", "--test", "it", "--test", "schedules",
                  "--message-format", "json"])
    if done.returncode:
        return {}, tail("\n".join(line for line in done.stdout.splitlines() if not line.startswith("{")))
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    programs = [Program(one) for one in found if one.get("executable") and one["profile"]["test"]]
    return {program.name: program for program in programs}, ""


class Program:
    """A program of tests: `lib` and `it` of the core, `testing`, `schedules`."""

    def __init__(self, told):
        self.path = told["executable"]
        self.folder = pathlib.Path(told["manifest_path"]).parent
        name = told["target"]["name"]
        self.name = {"apus_core": "lib", "apus_testing": "testing"}.get(name, name)

    def list(self):
        said = subprocess.run([self.path, "--list"], cwd=self.folder, capture_output=True, text=True).stdout
        return [line.removesuffix(": test") for line in said.splitlines() if line.endswith(": test")]

    def reaches(self, words=(), environment=None):
        """The tests with the seconds that each takes and the edits that it reaches. `?`: other threads."""
        path = TARGET / "mutants" / f"reached-{self.name}"
        path.unlink(missing_ok=True)
        ended = self.run(0, words, {**(environment or {}), "APUS_REACHED": str(path)})
        if not ended.passed:
            sys.exit(f"{self.name} fails without any edit: {ended.reason()}")
        tests = {}
        for line in path.read_text().splitlines() if path.exists() else ():
            name, took, numbers = line.split(" ", 2)
            before = tests.get(name, (0, set()))
            tests[name] = before[0] + int(took) / 1e6, before[1] | set(json.loads(f"[{numbers[1:-1]}]"))
        return tests

    def run(self, number=0, words=(), environment=None, usual=None):
        """How it ended. `usual` is how long it takes without an edit, if that is known."""
        seconds, wall = (int(usual[0] * TIMES) + SECONDS, usual[1] * 20 + 120) if usual else (1800, None)

        def limits():
            resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))

        environment = {**os.environ, "RUST_BACKTRACE": "0", "APUS_MUTANT": str(number), **(environment or {})}
        environment.pop("RUST_TEST_NOCAPTURE", None)
        before, began = spent(), time.monotonic()
        child = subprocess.Popen([self.path, "--quiet", *words], cwd=self.folder, env=environment, text=True,
                                 errors="replace", stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                 preexec_fn=limits, start_new_session=True)
        try:
            # What waits uses no time of the processor, and a loaded machine is slow.
            said, _ = child.communicate(timeout=wall)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.communicate()
            return Ended(False, "it waits for ever")
        if child.returncode in (-signal.SIGXCPU, -signal.SIGKILL):
            return Ended(False, "it goes on for ever")
        return Ended(child.returncode == 0, said, (spent() - before, time.monotonic() - began))


class Ended:
    """How a program ended, and what it took: seconds of the processor, and by the clock."""

    def __init__(self, passed, said, took=None):
        self.passed, self.said, self.took = passed, said, took

    def reason(self):
        """The first of the tests that failed, or what the simulator found, in a few words."""
        lines = [line.strip() for line in self.said.splitlines() if line.strip()]
        told = [line for begin in ("FAILED: ", "GAP: ") for line in lines if line.startswith(begin)]
        failed = re.findall(r"^    (\S+)$", self.said, re.MULTILINE)
        return (told or failed[-1:] or lines[-1:] or ["it failed"])[0]


def spent():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def cargo(words):
    environment = {**os.environ, "CARGO_TARGET_DIR": str(TARGET), "CARGO_INCREMENTAL": "1"}
    return subprocess.run(["cargo", *words], cwd=COPY, env=environment, text=True, errors="replace",
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def tail(text, lines=12):
    return "\n".join(text.strip().splitlines()[-lines:])

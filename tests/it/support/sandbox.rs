//! A folder that goes away, and the real binary run in it.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::{fixture, recipe};

/// Nothing in the tests lasts that long unless it hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// A folder of its own for one test.
pub struct Sandbox {
    dir: TempDir,
}

/// How a run ended.
#[derive(Debug)]
pub struct Ran {
    /// 128 and the signal's number when a signal ended it, as in a shell.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Sandbox {
    pub fn new() -> Sandbox {
        Sandbox { dir: tempfile::tempdir().expect("a temporary folder can be made") }
    }

    /// With a log called `LOG` made by a recipe, and a key file called `KEYS` that opens what the recipe encrypted.
    pub fn with(recipe: &str) -> Sandbox {
        let sandbox = Sandbox::new();
        sandbox.log("LOG", recipe);
        sandbox
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Makes a log.
    pub fn log(&self, name: &str, recipe: &str) -> PathBuf {
        let dir = self.path().join(name);
        recipe::cook(recipe).unwrap_or_else(|why| panic!("{why}")).write_to(&dir);
        std::fs::write(self.path().join("KEYS"), format!("{}\n", recipe::KEY)).expect("the sandbox has room");
        dir
    }

    /// Copies a fixture to `LOG`, and its keys to `KEYS` where it has some.
    pub fn fixture(&self, name: &str) -> Result<(), String> {
        fixture::copy(name, &self.path().join("LOG"))?;
        match fixture::keys(name) {
            Some(keys) => std::fs::write(self.path().join("KEYS"), keys).map_err(|why| why.to_string()),
            None => Ok(()),
        }
    }

    /// The binary with these words behind it, in the sandbox and with nothing of our surroundings that could change its answer.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_walctl"));
        command.args(words);
        self.bare(&mut command);
        command
    }

    /// A line for the shell, in which `walctl` is the binary.
    pub fn shell(&self, line: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", line]);
        self.bare(&mut command);
        command
    }

    fn bare(&self, command: &mut Command) {
        let binary = Path::new(env!("CARGO_BIN_EXE_walctl"));
        let mut path = binary.parent().expect("a file is in a folder").as_os_str().to_owned();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        command.current_dir(self.path()).env("PATH", path).env("LC_ALL", "C.UTF-8").stdin(Stdio::null());
        for name in ["NO_COLOR", "COLUMNS", "CLICOLOR_FORCE", "RUST_BACKTRACE", "WALCTL_KEY_FILE"] {
            command.env_remove(name);
        }
    }

    /// Runs the binary to its end.
    pub fn run(&self, words: &[&str]) -> Ran {
        finish(self.command(words), b"")
    }

    /// Every file below a folder with its content, by the path from there.
    pub fn files(&self, dir: &str) -> Vec<(String, Vec<u8>)> {
        let (root, mut files) = (self.path().join(dir), Vec::new());
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).expect("the folder is there") {
                let path = entry.expect("the folder can be listed").path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let name = path.strip_prefix(&root).expect("it lies below").to_string_lossy().into_owned();
                    files.push((name, std::fs::read(&path).expect("the file can be read")));
                }
            }
        }
        files.sort();
        files
    }
}

/// Runs a command to its end with this on standard input. One that hangs is ended and fails the test.
pub fn finish(mut command: Command, input: &[u8]) -> Ran {
    if !input.is_empty() {
        command.stdin(Stdio::piped());
    }
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the command starts");
    let stdin = child.stdin.take();
    let (stdout, stderr) = (child.stdout.take().expect("it was piped"), child.stderr.take().expect("it was piped"));
    thread::scope(|scope| {
        scope.spawn(move || {
            if let Some(mut stdin) = stdin {
                // A command may end without having read everything.
                let _ = stdin.write_all(input);
            }
        });
        let stdout = scope.spawn(move || drain(stdout));
        let stderr = scope.spawn(move || drain(stderr));
        let status = wait(&mut child);
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ran {
            code: code(status),
            stdout: text(stdout.join().expect("reading does not panic")),
            stderr: text(stderr.join().expect("reading does not panic")),
        }
    })
}

/// Waits for a process that the test started.
pub fn wait(child: &mut Child) -> ExitStatus {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("the child can be waited for") {
            return status;
        }
        if begun.elapsed() > PATIENCE {
            let _ = child.kill();
            panic!("it did not end within {PATIENCE:?}");
        }
        thread::sleep(Duration::from_millis(2));
    }
}

/// The exit code as a shell tells it.
pub fn code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

fn drain(mut from: impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = from.read_to_end(&mut bytes);
    bytes
}

/// Whether a tool is there that not every system has.
pub fn installed(tool: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(tool).is_file()))
}

/// What a browser without a window makes of a page of a sandbox, scripts run.
pub fn browsed(sandbox: &Sandbox, page: &str) -> String {
    let mut chromium = Command::new("chromium");
    chromium.args([
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--allow-file-access-from-files",
        "--virtual-time-budget=3000",
    ]);
    chromium.args(["--dump-dom", &format!("file://{}", sandbox.path().join(page).display())]);
    finish(chromium, b"").stdout
}

/// Whether a tool that a test needs is there. Where everything must be tested a missing one is a failure; elsewhere it is said.
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
pub fn have(tool: &str) -> bool {
    let found = installed(tool);
    assert!(found || std::env::var_os("CI").is_none(), "{tool} is needed here; .ci/run installs it");
    if !found {
        eprintln!("skipped: {tool} is not installed");
    }
    found
}

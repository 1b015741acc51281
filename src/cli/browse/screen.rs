//! The terminal: entered, drawn on, and left as it was, whatever ends the command.

use std::io::{self, Stdout, Write as _, stdout};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender, TryRecvError};
use std::thread;
use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode, size};
use rustix::process::{Signal, getpid, kill_process};
use walctl::model::Error;
use walctl::ops::open::Input;
use walctl::ops::report::Progress;

use super::checker::check;
use super::draw::draw;
use super::reader::{LogReader, ReaderLines, ToReader};
use super::state::{Browser, CheckProgress, Press, Wish};
use super::talk::{Answer, Ask};
use crate::cli::args::LoadArgs;
use crate::cli::exit::Exit;
use crate::cli::interrupt;
use crate::cli::render::escape;

/// How long the screen waits for a key while something is read, and while nothing is.
const SOON: Duration = Duration::from_millis(15);
const LATER: Duration = Duration::from_millis(100);
/// No more keys than this are taken before the screen is drawn.
const KEYS: usize = 256;
/// No more answers either.
const ANSWERS: usize = 64;

/// The screen is ours.
static ENTERED: AtomicBool = AtomicBool::new(false);
/// A thread of ours has panicked.
static BROKEN: AtomicBool = AtomicBool::new(false);

/// Shows a log until that is ended.
pub fn show(log: Input, show_values: bool, load: &LoadArgs, colour: bool) -> anyhow::Result<Exit> {
    interrupt::be_polite();
    let mut threads = BrowseThreads::start(log.clone(), show_values, load)?;
    leave_on_panic();
    let entered = Entered::new()?;
    let mut terminal = Terminal::new(CrosstermBackend::new(stdout()))?;
    let path = escape::line(&log.source.path.display().to_string());
    let browser = Browser::new(path, log.format, size().unwrap_or((80, 24)));
    let ended = run(&mut terminal, browser, &mut threads, colour);
    threads.stop();
    drop(entered);
    ended
}

/// Gives the terminal back before a panic is told, whichever thread has it.
fn leave_on_panic() {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        BROKEN.store(true, Ordering::Relaxed);
        leave();
        hook(info);
    }));
}

/// Draws, and takes keys and answers.
fn run(
    terminal: &mut Terminal<CrosstermBackend<Stdout>>,
    mut browser: Browser,
    threads: &mut BrowseThreads,
    colour: bool,
) -> anyhow::Result<Exit> {
    let first = browser.resize(browser.size);
    let mut ended = threads.carry_out(first, terminal)?;
    loop {
        if interrupt::caught() {
            return Ok(Exit::Interrupted);
        }
        if BROKEN.load(Ordering::Relaxed) {
            anyhow::bail!("a part of it came to an unexpected end; this is a fault of walctl");
        }
        let answered = threads.answers(&mut browser)?;
        let wishes = answered.0;
        ended = ended.or(threads.carry_out(wishes, terminal)?);
        if let Some(exit) = ended {
            return Ok(exit);
        }
        browser.progress = threads.progress();
        terminal.draw(|frame| {
            let area = frame.area();
            draw(frame.buffer_mut(), area, &browser, colour);
        })?;
        let wait = if answered.1 {
            Duration::ZERO
        } else if browser.waits {
            SOON
        } else {
            LATER
        };
        for _ in 0..KEYS {
            if !polled(wait.min(LATER))? {
                break;
            }
            let wishes = match event::read()? {
                Event::Key(key) => pressed(key).map(|press| browser.press(press)).unwrap_or_default(),
                Event::Resize(width, height) => browser.resize((width, height)),
                _ => Vec::new(),
            };
            ended = ended.or(threads.carry_out(wishes, terminal)?);
            if ended.is_some() || !polled(Duration::ZERO)? {
                break;
            }
        }
    }
}

/// Whether something came from the terminal. A signal ends the wait.
fn polled(wait: Duration) -> io::Result<bool> {
    match event::poll(wait) {
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(false),
        polled => polled,
    }
}

fn pressed(key: KeyEvent) -> Option<Press> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
    Some(match key.code {
        KeyCode::Char(c) if ctrl => Press::Ctrl(c.to_ascii_lowercase()),
        KeyCode::Char(c) => Press::Char(c),
        KeyCode::Up => Press::Up,
        KeyCode::Down => Press::Down,
        KeyCode::Left => Press::Left,
        KeyCode::Right => Press::Right,
        KeyCode::PageUp => Press::PageUp,
        KeyCode::PageDown => Press::PageDown,
        KeyCode::Home => Press::Home,
        KeyCode::End => Press::End,
        KeyCode::Enter => Press::Enter,
        KeyCode::Esc => Press::Esc,
        KeyCode::Tab => Press::Tab,
        KeyCode::BackTab => Press::BackTab,
        KeyCode::Backspace => Press::Backspace,
        KeyCode::F(1) => Press::Char('h'),
        _ => return None,
    })
}

/// The screen, until it is dropped.
struct Entered;

impl Entered {
    fn new() -> io::Result<Entered> {
        enable_raw_mode()?;
        ENTERED.store(true, Ordering::SeqCst);
        let entered = Entered;
        execute!(stdout(), EnterAlternateScreen)?;
        Ok(entered)
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        leave();
    }
}

/// Gives the terminal back. Once: what is written behind it must not be written over.
fn leave() {
    if ENTERED.swap(false, Ordering::SeqCst) {
        let _ = execute!(stdout(), LeaveAlternateScreen, Show);
        let _ = disable_raw_mode();
        let _ = stdout().flush();
    }
}

/// The threads beside the screen, and what is said to them.
struct BrowseThreads {
    log: Input,
    show_values: bool,
    jobs: Option<u16>,
    rate: Option<u64>,
    asks: Sender<ToReader>,
    answers: Receiver<(u64, Answer)>,
    answer: Sender<(u64, Answer)>,
    newest: Arc<AtomicU64>,
    sent: Arc<AtomicU64>,
    progress: Arc<Progress>,
}

impl BrowseThreads {
    fn start(log: Input, show_values: bool, load: &LoadArgs) -> anyhow::Result<BrowseThreads> {
        let (asks, to_reader) = mpsc::channel();
        let (answer, answers) = mpsc::channel();
        let (newest, sent) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let lines = ReaderLines { asks: to_reader, answers: answer.clone(), newest: newest.clone(), sent: sent.clone() };
        // A decoder stays on the thread that made it.
        let reads = log.clone();
        thread::Builder::new().name("reader".into()).spawn(move || {
            let to_screen = lines.answers.clone();
            match LogReader::new(reads, show_values, lines) {
                Ok(reader) => reader.work(),
                Err(error) => drop(to_screen.send((0, Answer::Nothing(escape::line(&error.to_string()))))),
            }
        })?;
        let mut threads = BrowseThreads {
            log,
            show_values,
            jobs: load.jobs,
            rate: load.rate.max_rate,
            asks,
            answers,
            answer,
            newest,
            sent,
            progress: Arc::new(Progress::default()),
        };
        threads.check()?;
        Ok(threads)
    }

    /// Checks the log, on a thread of its own, in place of the one that may still do so.
    fn check(&mut self) -> io::Result<()> {
        self.stop();
        self.progress = Arc::new(Progress::at_most(self.rate));
        let (log, show_values, progress, answer) =
            (self.log.clone(), self.show_values, self.progress.clone(), self.answer.clone());
        // One is left for the screen and for what is read for it.
        let own = || thread::available_parallelism().map_or(1, usize::from).saturating_sub(1).max(1);
        let jobs = self.jobs.map_or_else(own, usize::from);
        thread::Builder::new().name("checker".into()).spawn(move || {
            let checked = match check(&log, jobs, show_values, &progress) {
                // Another check has begun, or the screen is gone.
                Err(Error::Interrupted) => return,
                checked => checked.map(Box::new).map_err(|error| escape::line(&error.to_string())),
            };
            let _ = answer.send((0, Answer::Checked(checked)));
        })?;
        Ok(())
    }

    fn stop(&self) {
        self.progress.stop.store(true, Ordering::Relaxed);
    }

    fn progress(&self) -> CheckProgress {
        let Progress { done, total, damage, .. } = &*self.progress;
        let of = |number: &AtomicU64| number.load(Ordering::Relaxed);
        CheckProgress { done: of(done), total: of(total), damage: of(damage) }
    }

    /// Hands over what came; whether there was something.
    fn answers(&self, browser: &mut Browser) -> anyhow::Result<(Vec<Wish>, bool)> {
        let (mut wishes, mut any) = (Vec::new(), false);
        for _ in 0..ANSWERS {
            match self.answers.try_recv() {
                Ok((id, answer)) => {
                    any = true;
                    let newest = id == self.newest.load(Ordering::Relaxed);
                    let aside = matches!(answer, Answer::Bytes(..) | Answer::Drawn(..) | Answer::Listed(..) | Answer::Checked(_));
                    // What was asked before something else was is not of interest any more.
                    if newest || aside {
                        wishes.extend(browser.answer(answer));
                    }
                }
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => anyhow::bail!("nothing reads the log any more"),
            }
            if wishes.iter().any(|wish| matches!(wish, Wish::Ask(_))) {
                break;
            }
        }
        Ok((wishes, any))
    }

    fn carry_out(
        &mut self,
        wishes: Vec<Wish>,
        terminal: &mut Terminal<CrosstermBackend<Stdout>>,
    ) -> anyhow::Result<Option<Exit>> {
        for wish in wishes {
            match wish {
                Wish::Ask(ask) => self.ask(ask),
                Wish::Aside(aside) => self.send(ToReader::Aside(aside)),
                Wish::GiveUp => drop(self.newest.fetch_add(1, Ordering::Relaxed)),
                Wish::Check => self.check()?,
                Wish::Redraw => terminal.clear()?,
                Wish::Suspend => suspend(terminal)?,
                Wish::Quit(interrupted) => return Ok(Some(if interrupted { Exit::Interrupted } else { Exit::Done })),
            }
        }
        Ok(None)
    }

    fn ask(&self, ask: Ask) {
        let id = self.newest.fetch_add(1, Ordering::Relaxed) + 1;
        self.send(ToReader::Ask(id, Box::new(ask)));
    }

    fn send(&self, what: ToReader) {
        self.sent.fetch_add(1, Ordering::Relaxed);
        // A reader that is gone has said why.
        let _ = self.asks.send(what);
    }
}

/// Stops until the shell lets it go on.
fn suspend(terminal: &mut Terminal<CrosstermBackend<Stdout>>) -> anyhow::Result<()> {
    leave();
    kill_process(getpid(), Signal::TSTP)?;
    enable_raw_mode()?;
    ENTERED.store(true, Ordering::SeqCst);
    execute!(stdout(), EnterAlternateScreen)?;
    terminal.clear()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// Says to a run of this test which thread of it is to panic.
    const PANICS: &str = "WALCTL_TEST_PANICS";

    /// The test runs itself on a terminal of its own, where it enters the screen and panics.
    #[test]
    fn a_panic_on_any_thread_gives_the_terminal_back_before_it_is_told() {
        if let Some(thread) = std::env::var_os(PANICS) {
            leave_on_panic();
            let _entered = Entered::new().expect("there is a terminal");
            if thread == "beside" {
                let beside = thread::spawn(|| panic!("beside the screen"));
                assert!(beside.join().is_err() && BROKEN.load(Ordering::Relaxed), "it is known that a thread is gone");
            }
            panic!("on the screen");
        }
        let script = Command::new("script").arg("--version").output();
        if script.is_err() && std::env::var_os("CI").is_none() {
            return;
        }
        let this = std::env::current_exe().expect("a test has a program");
        let name = concat!(module_path!(), "::a_panic_on_any_thread_gives_the_terminal_back_before_it_is_told");
        let name = name.split_once("::").expect("the crate comes first").1;
        for (thread, told) in [("screen", "on the screen"), ("beside", "beside the screen")] {
            let line = format!("stty sane; '{}' --exact {name} --nocapture; stty -a", this.display());
            let ran =
                Command::new("script").args(["-qec", &line, "/dev/null"]).env(PANICS, thread).output().expect("script runs");
            let text = String::from_utf8_lossy(&ran.stdout);
            let at = |part: &str| text.find(part).unwrap_or_else(|| panic!("no {part:?} in {text}"));
            let (entered, left) = (at("\x1b[?1049h"), at("\x1b[?1049l"));
            assert!(entered < left && left < at(told), "the screen is left before it is told: {text}");
            assert!(left < at("\x1b[?25h"), "the cursor is seen again: {text}");
            assert_eq!(text.matches("\x1b[?1049l").count(), 1, "what is told is not written over: {text}");
            assert!(text[at(told)..].contains(" icanon"), "lines are lines again: {text}");
        }
    }
}

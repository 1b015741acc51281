//! `walctl browse`: a log on a screen, to look around in.

mod checker;
mod conditions;
mod doc;
mod draw;
mod drawing;
mod help;
mod jump;
mod keys;
mod layout;
mod pane;
mod prompt;
mod reader;
mod rows;
mod screen;
mod state;
mod talk;
mod target;
#[cfg(test)]
mod tests;

use std::io::IsTerminal;

use walctl::ops::open::Input;

use super::args::{InputArgs, LoadArgs};
use super::exit::{CommandFailure, Exit, usage};
use super::hint::show;
use super::place;
use super::render::formats;
use super::render::out::Out;

const AFTER_HELP: &str = "\
Keys are those of less and tig: h shows them, q ends it. Nothing is written or locked, so a log can be looked at while it is being written. \
--jobs and --max-rate are for the check in the background. \
The exit code is 0; verify answers with its own.";

/// Look around in a log on a terminal: segments drawn, records, bytes, damage
///
/// The first screen is there at once, whatever the log's size: records are read when one comes to them, and the log is checked in the
/// background. Content that may be secret is shown as dump shows it.
#[derive(clap::Args, Debug)]
#[command(after_help = AFTER_HELP, override_usage = "walctl browse [OPTIONS] LOG")]
#[command(mut_arg("paths", |arg| arg.value_names(["LOG"]).num_args(1).help("The log's folder, or a segment file")))]
pub struct BrowseArgs {
    #[command(flatten)]
    input: InputArgs,
    /// Show values that may be secret; without it they are shown by length and keyed hash, and their bytes are hidden
    #[arg(long)]
    show_values: bool,
    #[command(flatten)]
    load: LoadArgs,
}

/// Runs the command.
pub fn run(args: &BrowseArgs, out: &mut Out) -> anyhow::Result<Exit> {
    if args.input.lists() {
        formats::show(out)?;
        return Ok(Exit::Done);
    }
    let [path] = args.input.paths()? else { return Err(usage("name one log: walctl browse LOG")) };
    if path.as_os_str() == "-" {
        return Err(usage("browse goes back and forth, and standard input can be read once; keep it in a file first"));
    }
    place::here(path, "browse")?;
    let dump = |why: &str| {
        let next = Some(format!("walctl dump {}", show(path)));
        anyhow::Error::from(CommandFailure { exit: Exit::Usage, message: why.to_owned(), next })
    };
    if out.json() || out.quiet() {
        return Err(dump("browse shows a screen, and neither JSON nor nothing; dump --json prints records"));
    }
    if !out.is_terminal() || !std::io::stdin().is_terminal() {
        return Err(dump("browse needs a terminal for its screen and its keys; dump prints records anywhere"));
    }
    if std::env::var_os("TERM").is_some_and(|term| term == "dumb") {
        return Err(dump("this terminal (TERM=dumb) has no screen to draw on; dump prints records anywhere"));
    }
    let mut logs = args.input.open(path, &args.input.choice()?)?;
    if logs.len() > 1 {
        let names: Vec<String> = logs.iter().take(8).map(|log| show(&log.source.path)).collect();
        let more = if logs.len() > 8 { ", ..." } else { "" };
        let message = format!("{} holds {} logs; name one of them: {}{more}", path.display(), logs.len(), names.join(", "));
        return Err(usage(message));
    }
    let Some(log): Option<Input> = logs.pop() else { return Err(usage("there is no log")) };
    args.input.check_keys(&log)?;
    screen::show(log, args.show_values, &args.load, out.colour())
}

//! What a run says first: the figures to quote, or why none may be quoted and how to repeat it.

use walctl::bench::{FoundRate, Measured, Session, Steadiness};

use super::text::{label, rate, span};

/// The first lines of every form of the answer.
#[derive(Debug)]
pub struct FirstWord {
    /// A few words that decide.
    pub verdict: &'static str,
    /// How good that is, as a class of a page's style.
    pub class: &'static str,
    /// The figures, or why there are none.
    pub words: Vec<String>,
    /// What to type next.
    pub next: Option<String>,
}

/// What comes first; nothing where no load was measured.
pub fn first_word(found: &Session) -> Option<FirstWord> {
    let durable = || found.outcome.measured.iter().filter(|m| m.cell.sync.promises());
    durable().next()?;
    if found.is_distrusted() {
        let words = vec!["no figure: an acknowledgement here does not survive a power failure".to_owned()];
        return Some(FirstWord { verdict: "do not trust this disk", class: "bad", words, next: None });
    }
    let steadiness = found.steadiness();
    if steadiness == Steadiness::TooNoisy {
        let widest = durable().filter(|m| m.figures.repeats > 1).map(|m| m.figures.rate.width()).fold(0.0, f64::max);
        let apart = if widest < 10.0 { format!("up to {:.0} %", widest * 100.0) } else { "many times".to_owned() };
        let words = vec![format!("repeats of the same settings lie {apart} apart: quote and compare nothing of this run")];
        return Some(FirstWord { verdict: "too noisy to measure", class: "torn", words, next: Some(again(found)) });
    }
    let mut words: Vec<String> = found.quotable().into_iter().map(quoted).collect();
    match steadiness {
        Steadiness::Unknown => words.push("nothing was repeated, so nothing says how far it would vary".to_owned()),
        Steadiness::Noisy => words.push("some repeats differ: quote the range with the figure".to_owned()),
        Steadiness::Steady | Steadiness::TooNoisy => {}
    }
    let class = if steadiness == Steadiness::Unknown { "unchecked" } else { "clean" };
    Some(FirstWord { verdict: "to quote", class, words, next: None })
}

fn quoted(measured: &Measured) -> String {
    let (cell, f) = (&measured.cell, &measured.figures);
    let who = if cell.appenders == 1 { "1 appender".to_owned() } else { format!("{} appenders", cell.appenders) };
    let settings = if cell.is_default() { "default settings".to_owned() } else { label(cell) };
    let load = cell.load();
    let (_, size) = load.split_once(" x ").unwrap_or(("", &load));
    // Lengths are plain numbers, and everything else is a name.
    let size = if size.bytes().all(|b| b.is_ascii_digit()) { format!("{size} bytes each") } else { size.to_owned() };
    format!(
        "{} durable appends a second by {who}{}, p99 {} ({settings}, {size})",
        rate(f.rate.median),
        range(measured),
        f.percentile("p99").map_or(String::new(), |p99| span(p99.median)),
    )
}

/// The smallest and the largest repeat.
fn range(measured: &Measured) -> String {
    let f = &measured.figures;
    if f.repeats < 2 {
        return String::new();
    }
    format!(" ({} to {} in {} repeats)", rate(f.rate.min), rate(f.rate.max), f.repeats)
}

/// The highest rate that keeps a latency, in words.
pub fn target_words(target: &FoundRate) -> String {
    let words = match target.rate {
        Some(found) => format!("{}/s is the highest rate that keeps it", rate(found)),
        None => "no rate that was tried keeps it".to_owned(),
    };
    format!("{}: {words}", target.cell.key())
}

/// How to measure again, longer and more often.
fn again(found: &Session) -> String {
    let command = match found.command.as_str() {
        "" => format!("walctl bench {}", crate::cli::hint::show(&found.place.dir)),
        command => command.to_owned(),
    };
    let longer = if ["--duration", "--repeats"].iter().any(|flag| command.contains(flag)) {
        format!("with a longer --duration and more --repeats: {command}")
    } else {
        format!("{command} --duration 3s --repeats 9")
    };
    format!("once nothing else uses this disk or machine, {longer}")
}

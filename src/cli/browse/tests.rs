//! The screen without a terminal: keys in, text out, over a real log that is read in between.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use walctl::disk::{Disk, RealDisk};
use walctl::ops::open::{Choice, Input, open};
use walctl::ops::report::Progress;
use walctl::{Log, Options};

use super::checker::check;
use super::draw::draw;
use super::reader::{LogReader, ReaderLines, ToReader};
use super::state::{Browser, Press, Wish};
use super::talk::Answer;

/// A screen over a log. What it wishes is done before the next key.
struct Screen {
    browser: Browser,
    reader: LogReader,
    log: Input,
    answers: Receiver<(u64, Answer)>,
    newest: Arc<AtomicU64>,
    /// Whether it was left, and whether it was interrupted.
    quit: Option<bool>,
    /// How often the log was read.
    asked: usize,
    _asks: Sender<ToReader>,
}

impl Screen {
    fn over(dir: &Path, size: (u16, u16)) -> Screen {
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let log = open(&disk, dir, &Choice::default()).expect("it opens").pop().expect("there is a log");
        let (asks, to_reader) = channel();
        let (answer, answers) = channel();
        let newest = Arc::new(AtomicU64::new(0));
        let lines = ReaderLines { asks: to_reader, answers: answer, newest: newest.clone(), sent: Arc::new(AtomicU64::new(0)) };
        let mut reader = LogReader::new(log.clone(), false, lines).expect("a reader can be made");
        reader.tell_listing();
        let browser = Browser::new("LOG".into(), log.format, size);
        let mut screen = Screen { browser, reader, log, answers, newest, quit: None, asked: 0, _asks: asks };
        let first = screen.browser.resize(size);
        screen.carry_out(first);
        screen
    }

    fn check(&mut self) {
        let checked = check(&self.log, 1, false, &Progress::default()).map(Box::new).map_err(|error| error.to_string());
        let wishes = self.browser.answer(Answer::Checked(checked));
        self.carry_out(wishes);
    }

    fn carry_out(&mut self, wishes: Vec<Wish>) {
        let mut wishes: std::collections::VecDeque<Wish> = wishes.into();
        loop {
            while let Ok((id, answer)) = self.answers.try_recv() {
                let aside = matches!(answer, Answer::Bytes(..) | Answer::Drawn(..) | Answer::Listed(..));
                if aside || id == self.newest.load(Ordering::Relaxed) {
                    wishes.extend(self.browser.answer(answer));
                }
            }
            match wishes.pop_front() {
                Some(Wish::Ask(ask)) => {
                    self.asked += 1;
                    assert!(self.asked < 10_000, "it asks without end");
                    let id = self.newest.fetch_add(1, Ordering::Relaxed) + 1;
                    self.reader.take(ToReader::Ask(id, Box::new(ask)));
                }
                Some(Wish::Aside(aside)) => self.reader.take(ToReader::Aside(aside)),
                Some(Wish::Quit(interrupted)) => self.quit = Some(interrupted),
                Some(Wish::GiveUp) => drop(self.newest.fetch_add(1, Ordering::Relaxed)),
                Some(Wish::Check | Wish::Redraw | Wish::Suspend) => {}
                None if !self.reader.draw.is_empty() => self.reader.draw_some(),
                None => return,
            }
        }
    }

    fn press(&mut self, press: Press) {
        let wishes = self.browser.press(press);
        self.carry_out(wishes);
    }

    fn keys(&mut self, keys: &str) {
        for key in keys.chars() {
            self.press(match key {
                '\n' => Press::Enter,
                '\x1b' => Press::Esc,
                key => Press::Char(key),
            });
        }
    }

    fn lines(&self) -> Vec<String> {
        let (width, height) = self.browser.size;
        let area = Rect { x: 0, y: 0, width, height };
        let mut buffer = Buffer::empty(area);
        draw(&mut buffer, area, &self.browser, true);
        let line = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_owned();
        (0..height).map(line).collect()
    }

    fn text(&self) -> String {
        self.lines().join("\n")
    }

    /// The line that one stands on.
    fn here(&self) -> String {
        self.lines().into_iter().find(|line| line.starts_with('>')).unwrap_or_default()
    }
}

/// A log of records `record N`, in segments of about fifty records.
fn log_of(records: u64) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let log = Options::new().segment_bytes(8 << 10).open(dir.path()).expect("it opens");
    for batch in (1..=records).collect::<Vec<_>>().chunks(10) {
        log.append_batch(batch.iter().map(|n| format!("record {n}"))).expect("it takes records");
    }
    log.close().expect("it closes");
    dir
}

/// Changes a byte in the first segment.
fn hurt(dir: &Path, at: u64) {
    use std::os::unix::fs::FileExt;
    let path = dir.join(format!("{:020}.wal", 1));
    let file = std::fs::OpenOptions::new().write(true).open(path).expect("the segment is there");
    file.write_all_at(b"\xff", at).expect("it takes a byte");
}

#[test]
fn the_first_screen_draws_the_segments_and_enter_leads_to_their_records() {
    let dir = log_of(100);
    let mut screen = Screen::over(dir.path(), (80, 24));
    assert!(screen.text().contains("not checked yet") && screen.here().contains("-####"), "{}", screen.text());
    screen.check();
    let lines = screen.lines();
    assert!(lines[0].starts_with("LOG: clean; ends at") && lines[1].starts_with("[1 Segments ("), "{lines:#?}");
    assert!(screen.here().ends_with(" clean"));
    screen.keys("j\n");
    let second = screen.here();
    assert!(screen.lines()[1].contains("[2 Records]") && !second.contains("record 1 "), "{}", screen.text());
    screen.keys("g");
    assert!(screen.here().contains("  1  ") && screen.here().ends_with("record 1"), "{}", screen.text());
    screen.keys("G");
    assert!(screen.here().ends_with("record 100"), "{}", screen.text());
    screen.keys("kkj");
    assert!(screen.here().ends_with("record 99"));
    screen.keys("\x1b");
    assert!(screen.lines()[1].starts_with("[1 Segments"));
}

#[test]
fn every_record_is_come_past_once_downwards_and_upwards_whatever_the_step() {
    let dir = log_of(700);
    for (key, step) in [('j', 1), ('d', 10), (' ', 20)] {
        let mut screen = Screen::over(dir.path(), (80, 24));
        screen.keys("2");
        let mut at = 1;
        while at < 700 {
            assert!(screen.here().ends_with(&format!("record {at}")), "{key}: {}", screen.text());
            screen.press(Press::Char(key));
            at = (at + step).min(700);
        }
        for _ in 1..700 {
            screen.press(Press::Up);
            at -= 1;
            assert!(screen.here().ends_with(&format!("record {at}")), "{key}: {}", screen.text());
        }
    }
}

#[test]
fn a_search_goes_both_ways_and_says_when_nothing_is_there() {
    let dir = log_of(300);
    let mut screen = Screen::over(dir.path(), (80, 24));
    screen.keys("2/7[05]$\n");
    assert!(screen.here().ends_with("record 70"), "{}", screen.text());
    screen.keys("nnn");
    assert!(screen.here().ends_with("record 175"));
    screen.keys("NN");
    assert!(screen.here().ends_with("record 75"));
    screen.keys("NN");
    assert!(screen.text().ends_with("nothing above matches 7[05]$"), "{}", screen.text());
    screen.keys("/nonsense\n");
    assert!(screen.text().ends_with("nothing below matches nonsense") && screen.here().ends_with("record 70"));
    screen.keys("/a(\n");
    assert!(screen.text().ends_with("unclosed group"), "{}", screen.text());
}

#[test]
fn a_filter_is_in_the_words_of_dump_and_comes_off_again() {
    let dir = log_of(300);
    let mut screen = Screen::over(dir.path(), (80, 24));
    screen.keys("2&--grep 9 --lsn 200..\n");
    assert!(screen.here().ends_with("record 209"), "{}", screen.text());
    screen.keys("j");
    assert!(screen.here().ends_with("record 219") && screen.lines()[1].contains("only &--grep 9 --lsn 200.."));
    screen.keys("&--kind checkpoint\n");
    assert!(screen.text().contains("no record meets the conditions"), "{}", screen.text());
    screen.keys("&--limit 5\n");
    assert!(screen.text().contains("--limit is no condition"), "{}", screen.text());
    screen.keys("&\n");
    screen.keys("G");
    assert!(screen.here().ends_with("record 300"), "{}", screen.text());
}

#[test]
fn one_goes_to_a_number_an_offset_a_time_and_counted_from_the_end() {
    let dir = log_of(300);
    let mut screen = Screen::over(dir.path(), (80, 24));
    for (typed, record) in [("250", 250), ("-1", 300), ("-10", 291), ("@4096", 1), ("1970-01-01", 1)] {
        // An offset is one of the segment that is shown.
        screen.keys("1g:");
        screen.keys(typed);
        screen.keys("\n");
        assert!(screen.here().ends_with(&format!("record {record}")), "{typed}: {}", screen.text());
    }
    screen.keys(":301\n");
    assert!(screen.text().ends_with("no record has LSN 301 or a higher one"), "{}", screen.text());
    screen.keys(":nonsense\n");
    assert!(screen.text().contains("`nonsense` is no LSN"), "{}", screen.text());
    screen.keys(":other.wal:5\n");
    assert!(screen.text().ends_with("no segment is called other.wal"), "{}", screen.text());
}

#[test]
fn damage_stands_in_the_list_has_a_page_of_its_own_and_leads_to_the_records_around_it() {
    let dir = log_of(100);
    // In the eleventh record, the first of the second batch.
    hurt(dir.path(), 4096 + 48 * 9 + 56 + 42);
    let mut screen = Screen::over(dir.path(), (80, 24));
    screen.keys("2");
    let marked = |screen: &Screen| screen.lines().into_iter().find(|line| line.starts_with("!!")).unwrap_or_default();
    assert!(marked(&screen).contains("bad-checksum"), "{}", screen.text());
    screen.keys("3");
    assert!(screen.text().contains("is known when the log has been checked"), "{}", screen.text());
    screen.check();
    assert!(
        screen.lines()[0].starts_with("LOG: corrupt; acknowledged records are lost or in doubt: LSN 11-20;"),
        "{}",
        screen.text()
    );
    assert!(screen.here().contains("corrupt  bad-checksum") && screen.here().contains("LSN 11 in doubt"), "{}", screen.text());
    screen.keys("\n");
    let page = screen.text();
    for part in ["place  ", "proof         it was acknowledged", "next          walctl repair", "damage, 56 bytes"] {
        assert!(
            page.contains(part) || {
                screen.keys(" ");
                screen.text().contains(part)
            },
            "{part}: {page}"
        );
    }
    screen.keys("\n");
    assert!(screen.here().starts_with(">!") && screen.here().contains("bad-checksum"), "{}", screen.text());
}

#[test]
fn the_page_of_a_record_draws_its_fields_and_goes_on_to_its_neighbours() {
    let dir = log_of(20);
    let mut screen = Screen::over(dir.path(), (80, 40));
    screen.keys("2\n");
    let page = screen.text();
    for part in [
        "full, LSN 1",
        "payload       8 bytes: record 1",
        "     4096  57 4c 46 31 ",
        "  magic",
        "  lsn",
        "72 65 63 6f 72 64 20 31 ",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    screen.press(Press::Right);
    assert!(screen.text().contains("full, LSN 2"), "{}", screen.text());
    screen.press(Press::Left);
    screen.press(Press::Left);
    assert!(screen.text().contains("full, LSN 1"), "{}", screen.text());
    screen.keys("\x1bq");
    assert_eq!(screen.quit, Some(false));
}

#[test]
fn nothing_on_the_screen_can_steer_a_terminal() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let log = Log::open(dir.path()).expect("it opens");
    for payload in
        ["\x1b]0;owned\x07\x1b[2J\x1b[31mred", "\u{9b}31m\u{202e}txt\r\n\t", "\u{200b}\u{feff}\u{e0001}", "日本\u{1f3f4}語"]
    {
        log.append(payload).expect("it takes a record");
    }
    log.append([0xffu8, 0x1b, b'[', 0x9b, 0xc2]).expect("it takes bytes");
    log.close().expect("it closes");
    for width in [1, 7, 40, 80, 200] {
        let mut screen = Screen::over(dir.path(), (width, 24));
        screen.check();
        for keys in ["2", "/\x1b\n", "&owned\n", "\n", " ", "\x1b&\n", "G\n", "\x1b3", "1"] {
            screen.keys(keys);
            screen.press(Press::Char('\u{1b}'));
            let text = screen.lines().concat();
            assert!(text.chars().all(crate::cli::render::escape::is_plain_char), "{width} {keys:?}: {text:?}");
        }
    }
}

#[test]
fn no_screen_is_too_small_or_too_large() {
    let dir = log_of(60);
    hurt(dir.path(), 4096 + 48 * 3 + 42);
    let mut screen = Screen::over(dir.path(), (80, 24));
    screen.check();
    for keys in ["1", "2", "\n", "\x1b3", "\n", "h", "q\x1b2:12", "\x1b/x", "\x1b&", "\x1b"] {
        screen.keys(keys);
        for (width, height) in
            (0..24).flat_map(|w| (0..12).map(move |h| (w, h))).chain([(80, 24), (200, 50), (500, 200), (1, 300), (300, 1)])
        {
            let wishes = screen.browser.resize((width, height));
            screen.carry_out(wishes);
            assert_eq!(screen.lines().len(), usize::from(height));
        }
    }
}

#[test]
fn what_grows_is_followed_and_what_is_pruned_is_no_failure() {
    let dir = log_of(300);
    let mut screen = Screen::over(dir.path(), (80, 24));
    screen.keys("F");
    assert!(screen.here().ends_with("record 300") && screen.text().contains("following"), "{}", screen.text());
    let log = Options::new().segment_bytes(8 << 10).open(dir.path()).expect("it opens");
    log.append("record 301").expect("it takes a record");
    screen.reader.grown();
    screen.carry_out(Vec::new());
    assert!(screen.here().ends_with("record 301"), "{}", screen.text());
    screen.keys("\x1b");
    assert!(!screen.text().contains("following"));
    // What was listed goes before it is read.
    screen.keys("2g");
    let first = dir.path().join(format!("{:020}.wal", 1));
    std::fs::remove_file(first).expect("it is there");
    for _ in 0..60 {
        screen.press(Press::PageDown);
    }
    assert!(screen.here().ends_with("record 301"), "{}", screen.text());
    for _ in 0..60 {
        screen.press(Press::PageUp);
    }
    assert!(screen.here().contains("record ") && screen.text().contains("[2 Records]"), "{}", screen.text());
    drop(log);
}

#[test]
fn a_log_without_records_and_one_that_is_gone_are_told_and_not_asked_for_again_and_again() {
    let dir = log_of(0);
    let mut screen = Screen::over(dir.path(), (80, 24));
    screen.check();
    screen.keys("2jG /x\n\n:5\nF\x1b3\n1");
    screen.keys("2");
    assert!(screen.text().contains("there are no records"), "{}", screen.text());
    let full = log_of(100);
    let mut screen = Screen::over(full.path(), (80, 24));
    screen.keys("2");
    drop(full);
    let before = screen.asked;
    screen.keys("GgG");
    assert!(screen.asked <= before + 9, "{} {}", screen.asked, screen.text());
}

#[test]
fn keys_that_mean_nothing_do_nothing_and_the_way_out_is_always_there() {
    let dir = log_of(30);
    let mut screen = Screen::over(dir.path(), (80, 24));
    screen.keys("hhxXzZ%~");
    screen.press(Press::Ctrl('q'));
    screen.press(Press::Backspace);
    assert!(screen.text().contains("help: Esc or q goes back") && screen.quit.is_none());
    screen.keys("q");
    screen.press(Press::Ctrl('c'));
    assert_eq!(screen.quit, Some(true), "Ctrl-C ends what is not doing anything");
    for (prompt, left) in [("/abc", Press::Esc), ("&abc", Press::Ctrl('c')), (":", Press::Backspace)] {
        screen.keys(prompt);
        assert!(screen.browser.prompt.is_some());
        screen.press(left);
        assert!(screen.browser.prompt.is_none(), "{prompt}");
    }
    screen.press(Press::Tab);
    screen.press(Press::Tab);
    screen.press(Press::BackTab);
    assert!(screen.text().contains("[2 Records]"));
    screen.keys("Q");
    assert_eq!(screen.quit, Some(false));
}

#[test]
fn what_is_missing_is_drawn_where_it_is_missing() {
    let dir = log_of(300);
    let mut names: Vec<_> =
        std::fs::read_dir(dir.path()).expect("it lists").filter_map(|entry| Some(entry.ok()?.path())).collect();
    names.retain(|path| path.extension().is_some_and(|end| end == "wal"));
    names.sort();
    std::fs::remove_file(&names[2]).expect("it can go");
    let mut screen = Screen::over(dir.path(), (100, 30));
    let drawn = |screen: &Screen| screen.lines().iter().filter(|line| line.contains("0000") && line.contains('~')).count();
    assert_eq!(drawn(&screen), 0, "nothing is known before the check");
    screen.check();
    assert_eq!(drawn(&screen), 1, "{}", screen.text());
    let line = screen.lines().into_iter().find(|line| line.contains('~')).expect("one is");
    assert!(line.contains("missing"), "{line}");
    assert!(screen.text().contains("~ missing"), "the legend says so: {}", screen.text());
}

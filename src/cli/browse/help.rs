//! What the keys do, in words: no line is wider than a narrow screen.

const LINES: &[&str] = &[
    "Keys are those of less and tig. Nothing here writes to the log or locks it.",
    "",
    "  1 2 3, Tab        segments, records, damage",
    "  Enter             open: the records of a segment, the bytes of a record,",
    "                    all about damage, and from there the records around it",
    "  Esc               back; it also stops reading and following",
    "  q                 back, and out            Q        out at once",
    "",
    "  j k, arrows       a line down, up          d u      half a page down, up",
    "  Space b, PgDn/Up  a page down, up          g G      first, last",
    "  Left Right        move the content; on the page of a record: the record",
    "                    before it, and behind it",
    "",
    "  /REGEX            search in payload and meaning; n N  again, down or up",
    "  &REGEX            only records that match; & and Enter shows all again",
    "  &--kind full      the same in the words of dump:",
    "                    --kind --tag --grep --lsn --since --until",
    "  :48213            go to an LSN; :-100 counts from the end",
    "  :03:04            go to a time (UTC), as dump --since takes it",
    "  :@4096            go to an offset of this segment; :SEGMENT:OFFSET too,",
    "                    as verify prints it",
    "  F                 follow: show records as they come, until Esc",
    "",
    "  R                 list and check the log again",
    "  r, Ctrl-L         draw the screen again    Ctrl-Z   to the background",
    "  Ctrl-C            stop reading, or end",
    "",
    "In the map: # records, + padding, - header, . zeros, X damage,",
    "? not looked at yet.",
    "",
    "What is behind the cursor is read when it is needed; the log is checked",
    "meanwhile, and the first line says how far that is. What was not looked at is",
    "called not checked, never clean. Bytes that may be secret are shown as xx;",
    "browse --show-values shows them.",
];

/// The lines of the help.
pub fn lines() -> &'static [&'static str] {
    LINES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_fits_on_a_narrow_screen() {
        assert!(lines().iter().all(|line| line.len() <= 79), "{:?}", lines().iter().find(|line| line.len() > 79));
    }
}

//! The reference as a page, `docs/json.md`.

use std::fmt::Write;

use super::{ObjectShape, SHAPES, each};

const HEAD: &str = "\
# JSON

What `--json` prints, for programs. `walctl generate json` writes this page from the tables of the program, and a test compares it with what
the commands print. `walctl explain KEY` shows one key.

## What is promised

- One object a line, in UTF-8, on standard output. A failure is an object on standard error: `{\"schema\": \"walctl.error/1\", \"error\": …}`.
- Each object begins with `schema`: the name of its shape and a version. The lines of `dump` and `append` alone have none: their keys are
  frozen.
- Within a version no key goes away, changes its type or its meaning. New keys may be added, so programs must ignore keys that they do not
  know. A change of any other sort gets a new version. \"Since\" below is the version that brought the key.
- \"Always\" keys are in every object of their shape. Others are left out where they say nothing.
- Keys stand in the order shown here. LSNs, counts, bytes and offsets are integers up to 2^64 - 1, so read them with a parser that keeps 64
  bits. Times are RFC 3339 in UTC with microseconds, `2026-01-31T09:30:00.000000Z`. Paths and names are text; bytes that are not UTF-8 in
  them are shown as U+FFFD.
- Lists that could grow without end are cut, and a `…_count` beside them says how many there are or how many more.
- Names of verdicts, damage, warnings and kinds are fixed, and new ones may be added. Sentences (`detail`, `text`, `next`, `why`, `message`
  and others that the table calls \"in words\") are for people and may change with any release.
- Objects have a blank after each colon and comma; the record lines of `dump` and `append` have none, because a log has millions of them.
";

/// The whole page but for what a format says of itself.
pub fn write() -> String {
    let mut page = HEAD.to_owned();
    for shape in &SHAPES {
        let _ = write!(page, "\n## `{}`\n\n{}", shape.command, shape.about);
        if let Some(schema) = shape.schema {
            let _ = write!(page, " Schema `{schema}`");
            if let Some(mark) = shape.mark.filter(|_| shared(shape)) {
                let _ = write!(page, "; only this shape of it has `{mark}`");
            }
            page.push('.');
        }
        page.push_str("\n\n| key | type | always | since | meaning |\n|---|---|---|---|---|\n");
        each(shape.keys, &mut |path, key| {
            let always = if key.always { "yes" } else { "" };
            let _ = writeln!(page, "| `{path}` | {} | {always} | {} | {} |", key.kind.words(), key.since, key.words);
        });
    }
    page
}

fn shared(shape: &ObjectShape) -> bool {
    SHAPES.iter().filter(|other| other.schema == shape.schema).count() > 1
}

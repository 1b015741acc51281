//! The table of formats, for `--format list`.

use std::io::{self, Write};

use walctl::formats::ALL;

use super::json::Object;
use super::out::Out;
use super::table::Table;

/// Shows every format that can be read, what its checksums protect, and whether a torn tail may be cut.
pub fn show(out: &mut Out) -> io::Result<()> {
    if out.json() {
        for format in ALL {
            let never = format.mending.never();
            let object = Object::of("walctl.formats/1")
                .put("format", format.name)
                .put("aliases", format.aliases.to_vec())
                .put("title", format.title)
                .put("protects", format.protects)
                .put("opens_encrypted", format.encrypted)
                .put("repair", if never.is_some() { "refuse" } else { "cut" })
                .put("why", never);
            writeln!(out, "{}", object.end())?;
        }
        return Ok(());
    }
    let mut table = Table::new(out, &["format", "what it is", "repair", "encrypted", "what its checksums protect"]);
    for format in ALL {
        let mend = match format.mending.never() {
            None => "cuts".to_owned(),
            Some(why) => format!("refuses: {why}"),
        };
        let encrypted = if format.encrypted { "with --key-file" } else { "-" };
        table.row([format.name, format.title, &mend, encrypted, format.protects]);
    }
    table.write(out)
}

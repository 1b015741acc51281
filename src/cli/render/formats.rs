//! The table of formats, for `--format list`.

use std::io::{self, Write};

use walctl::formats::ALL;

use super::out::{Out, json_text};
use super::table::Table;

/// Shows every format that can be read, what its checksums protect, and whether a torn tail may be cut.
pub fn show(out: &mut Out) -> io::Result<()> {
    if out.json() {
        for format in ALL {
            let mend = match format.mending.never() {
                None => "\"cut\"".to_owned(),
                Some(why) => format!("\"refuse\", \"why\": {}", json_text(why)),
            };
            writeln!(
                out,
                "{{\"format\": {}, \"title\": {}, \"protects\": {}, \"encrypted\": {}, \"repair\": {mend}}}",
                json_text(format.name),
                json_text(format.title),
                json_text(format.protects),
                format.encrypted
            )?;
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

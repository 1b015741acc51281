//! OpenMetrics text: numbers with labels, for scrapers.
//!
//! A label holds a name from a disk or from the command line: it is escaped twice, first for terminals and then for the parser.

use std::io::{self, Write};
use std::path::Path;

use super::escape;

/// What the last line of each exposition says: without it a reader knows that the text was cut.
pub const END: &str = "# EOF";

/// A label and its value, as they stand between the braces.
pub fn label(name: &str, value: &str) -> String {
    let value = escape::line(value).replace('\\', r"\\").replace('"', "\\\"");
    format!("{name}=\"{value}\"")
}

/// The labels of one log: its path, its format, and the machine if the user named it.
pub fn of_log(log: &Path, format: &str, host: Option<&str>) -> String {
    let labels = format!("{},{}", label("log", &log.display().to_string()), label("format", format));
    host.map_or_else(|| labels.clone(), |host| format!("{labels},{}", label("host", host)))
}

/// What stands above the samples of a family. Its name ends with its unit, where it has one.
pub fn family(out: &mut impl Write, name: &str, kind: &str, help: &str) -> io::Result<()> {
    writeln!(out, "# TYPE {name} {kind}")?;
    if let Some(unit) = ["bytes", "seconds"].into_iter().find(|unit| name.ends_with(&format!("_{unit}"))) {
        writeln!(out, "# UNIT {name} {unit}")?;
    }
    writeln!(out, "# HELP {name} {help}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_one_line_whatever_it_holds() {
        assert_eq!(label("log", "a \"b\" \\c"), r#"log="a \"b\" \\c""#);
        assert_eq!(label("log", "a\nb\x1b[31m"), r#"log="a\\nb\\x1b[31m""#);
        assert_eq!(of_log(Path::new("wal"), "native", Some("db-7")), r#"log="wal",format="native",host="db-7""#);
        assert_eq!(of_log(Path::new("wal"), "native", None), r#"log="wal",format="native""#);
    }

    #[test]
    fn a_family_names_the_unit_that_its_name_ends_with() {
        let mut text = Vec::new();
        family(&mut text, "walctl_valid_bytes", "gauge", "Bytes.").expect("memory takes text");
        family(&mut text, "walctl_records", "gauge", "Records.").expect("memory takes text");
        let expected = "# TYPE walctl_valid_bytes gauge\n# UNIT walctl_valid_bytes bytes\n# HELP walctl_valid_bytes Bytes.\n\
                        # TYPE walctl_records gauge\n# HELP walctl_records Records.\n";
        assert_eq!(String::from_utf8(text).as_deref(), Ok(expected));
    }
}


use builtin;
use str;

set edit:completion:arg-completer[walctl] = {|@words|
    fn spaces {|n|
        builtin:repeat $n ' ' | str:join ''
    }
    fn cand {|text desc|
        edit:complex-candidate $text &display=$text' '(spaces (- 14 (wcswidth $text)))$desc
    }
    var command = 'walctl'
    for word $words[1..-1] {
        if (str:has-prefix $word '-') {
            break
        }
        set command = $command';'$word
    }
    var completions = [
        &'walctl'= {
            cand --color 'When to use colours; auto means on a terminal and without NO_COLOR'
            cand --json 'Results as JSON, one object a line; failures as one JSON object on standard error'
            cand -q 'No results and no progress; the exit code tells'
            cand --quiet 'No results and no progress; the exit code tells'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
            cand dump 'Show the records of logs, past any damage'
            cand verify 'Check logs, and say what every damage means and what to do next'
            cand repair 'Cut torn tails after saving their bytes, or salvage what is valid'
            cand append 'Append records and print the LSN of each once it is durable'
            cand rotate 'Seal the active segment and begin the next one'
            cand stats 'Count and measure what is in logs'
            cand bench 'Measure how fast records become durable, and how to tune it'
        }
        &'walctl;dump'= {
            cand --format 'How the log lies on disk; auto tells by content and name, list shows all formats'
            cand --io 'How to read; auto maps finished segments into memory and reads the others'
            cand --key-file 'A file with keys for encrypted payloads: 64 hex digits a line, oldest first'
            cand --lsn 'LSNs A..B, both included; also A.., ..B, N, and numbers below zero to count from the end: -100..'
            cand --since 'Written at this time or later: 2026-01-02T03:04:05Z, a date, or `10min ago`'
            cand --until 'Written at this time or earlier'
            cand --kind 'Of this kind: full, checkpoint, txn-begin, ... as the format names them; may be given several times'
            cand --tag 'With this tag; may be given several times'
            cand --grep 'With a payload in which this regular expression is found; (?i) in front ignores case'
            cand -C 'Also up to N records before and behind each one that --grep finds'
            cand --context 'Also up to N records before and behind each one that --grep finds'
            cand -n 'At most the first N'
            cand --limit 'At most the first N'
            cand --tail 'Only the last N'
            cand --cursor 'Go on behind the last record of the run before; FILE keeps where that was'
            cand --payload 'How payloads are shown'
            cand --delimiter 'What stands between raw payloads'
            cand --out-dir 'Payloads only, each into a file of its own in this folder, named by its LSN'
            cand --color 'When to use colours; auto means on a terminal and without NO_COLOR'
            cand --reverse 'From the end of the log to its start'
            cand --fail-empty 'End with code 7 if no record is shown'
            cand -f 'Wait for more when the end is reached, across segments, until interrupted'
            cand --follow 'Wait for more when the end is reached, across segments, until interrupted'
            cand --redact 'Length and keyed hash instead of content, safe for a ticket; equal contents have equal hashes within one run'
            cand --frames 'Everything as it lies there: fragments, padding, control frames; + begins what one sync made durable'
            cand --hex 'Bytes of each frame with its fields drawn over them (implies --frames)'
            cand --csv 'Comma separated values with one line of heads'
            cand --raw 'Payloads only, as they are'
            cand --json 'Results as JSON, one object a line; failures as one JSON object on standard error'
            cand -q 'No results and no progress; the exit code tells'
            cand --quiet 'No results and no progress; the exit code tells'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'walctl;verify'= {
            cand --format 'How the log lies on disk; auto tells by content and name, list shows all formats'
            cand --io 'How to read; auto maps finished segments into memory and reads the others'
            cand --key-file 'A file with keys for encrypted payloads: 64 hex digits a line, oldest first'
            cand -j 'How many segments to check at once [default: one for each processor]'
            cand --jobs 'How many segments to check at once [default: one for each processor]'
            cand --max-rate 'Read no faster than this, and leave the disk to the service: 100MiB/s'
            cand --color 'When to use colours; auto means on a terminal and without NO_COLOR'
            cand --media 'Read past the page cache, and report where the medium holds something else than the cache says'
            cand --deep 'Also decrypt, decompress, and look for open transactions and orphaned fragments'
            cand --map 'Draw each segment as one line: frames, padding, reserved zeros, damage'
            cand --json 'Results as JSON, one object a line; failures as one JSON object on standard error'
            cand -q 'No results and no progress; the exit code tells'
            cand --quiet 'No results and no progress; the exit code tells'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'walctl;repair'= {
            cand --format 'How the log lies on disk; auto tells by content and name, list shows all formats'
            cand --io 'How to read; auto maps finished segments into memory and reads the others'
            cand --key-file 'A file with keys for encrypted payloads: 64 hex digits a line, oldest first'
            cand --max-cut 'Refuse to cut more than this from a segment'
            cand --at 'Cut everything behind this LSN, on purpose; the log gives those LSNs again'
            cand --salvage 'Write all that is valid into a new log in this folder, and leave the old one alone'
            cand --color 'When to use colours; auto means on a terminal and without NO_COLOR'
            cand -n 'Say what would be done, and stop there'
            cand --dry-run 'Say what would be done, and stop there'
            cand --accept-suspect 'Also cut a tail of which nobody can tell whether it is torn or rotten'
            cand --yes 'Yes, do what --at would do'
            cand --undo 'Put the cuts of the newest repair back, unless the log has grown since'
            cand --json 'Results as JSON, one object a line; failures as one JSON object on standard error'
            cand -q 'No results and no progress; the exit code tells'
            cand --quiet 'No results and no progress; the exit code tells'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'walctl;append'= {
            cand --format 'How the log lies on disk; auto tells by content and name, list shows all formats'
            cand --io 'How to read; auto maps finished segments into memory and reads the others'
            cand --key-file 'A file with keys for encrypted payloads: 64 hex digits a line, oldest first'
            cand --color 'When to use colours; auto means on a terminal and without NO_COLOR'
            cand --json 'Results as JSON, one object a line; failures as one JSON object on standard error'
            cand -q 'No results and no progress; the exit code tells'
            cand --quiet 'No results and no progress; the exit code tells'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'walctl;rotate'= {
            cand --format 'How the log lies on disk; auto tells by content and name, list shows all formats'
            cand --io 'How to read; auto maps finished segments into memory and reads the others'
            cand --key-file 'A file with keys for encrypted payloads: 64 hex digits a line, oldest first'
            cand --color 'When to use colours; auto means on a terminal and without NO_COLOR'
            cand --json 'Results as JSON, one object a line; failures as one JSON object on standard error'
            cand -q 'No results and no progress; the exit code tells'
            cand --quiet 'No results and no progress; the exit code tells'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'walctl;stats'= {
            cand --format 'How the log lies on disk; auto tells by content and name, list shows all formats'
            cand --io 'How to read; auto maps finished segments into memory and reads the others'
            cand --key-file 'A file with keys for encrypted payloads: 64 hex digits a line, oldest first'
            cand --color 'When to use colours; auto means on a terminal and without NO_COLOR'
            cand --json 'Results as JSON, one object a line; failures as one JSON object on standard error'
            cand -q 'No results and no progress; the exit code tells'
            cand --quiet 'No results and no progress; the exit code tells'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'walctl;bench'= {
            cand --format 'How the log lies on disk; auto tells by content and name, list shows all formats'
            cand --io 'How to read; auto maps finished segments into memory and reads the others'
            cand --key-file 'A file with keys for encrypted payloads: 64 hex digits a line, oldest first'
            cand --color 'When to use colours; auto means on a terminal and without NO_COLOR'
            cand --json 'Results as JSON, one object a line; failures as one JSON object on standard error'
            cand -q 'No results and no progress; the exit code tells'
            cand --quiet 'No results and no progress; the exit code tells'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
    ]
    $completions[$command]
}

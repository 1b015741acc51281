
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
            cand verify 'Check logs and say what every damage means'
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
            cand --color 'When to use colours; auto means on a terminal and without NO_COLOR'
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
            cand --color 'When to use colours; auto means on a terminal and without NO_COLOR'
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
            cand --color 'When to use colours; auto means on a terminal and without NO_COLOR'
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


using namespace System.Management.Automation
using namespace System.Management.Automation.Language

Register-ArgumentCompleter -Native -CommandName 'walctl' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $commandElements = $commandAst.CommandElements
    $command = @(
        'walctl'
        for ($i = 1; $i -lt $commandElements.Count; $i++) {
            $element = $commandElements[$i]
            if ($element -isnot [StringConstantExpressionAst] -or
                $element.StringConstantType -ne [StringConstantType]::BareWord -or
                $element.Value.StartsWith('-') -or
                $element.Value -eq $wordToComplete) {
                break
        }
        $element.Value
    }) -join ';'

    $completions = @(switch ($command) {
        'walctl' {
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours; auto means on a terminal and without NO_COLOR')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Results as JSON, one object a line; failures as one JSON object on standard error')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No results and no progress; the exit code tells')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No results and no progress; the exit code tells')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('dump', 'dump', [CompletionResultType]::ParameterValue, 'Show the records of logs, past any damage')
            [CompletionResult]::new('verify', 'verify', [CompletionResultType]::ParameterValue, 'Check logs, and say what every damage means and what to do next')
            [CompletionResult]::new('repair', 'repair', [CompletionResultType]::ParameterValue, 'Cut torn tails after saving their bytes, or salvage what is valid')
            [CompletionResult]::new('append', 'append', [CompletionResultType]::ParameterValue, 'Append records and print the LSN of each once it is durable')
            [CompletionResult]::new('rotate', 'rotate', [CompletionResultType]::ParameterValue, 'Seal the active segment and begin the next one; let old segments go')
            [CompletionResult]::new('stats', 'stats', [CompletionResultType]::ParameterValue, 'Count and measure what is in logs')
            [CompletionResult]::new('bench', 'bench', [CompletionResultType]::ParameterValue, 'Measure how fast records become durable, and how to tune it')
            break
        }
        'walctl;dump' {
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How the log lies on disk; auto tells by content and name, list shows all formats')
            [CompletionResult]::new('--io', '--io', [CompletionResultType]::ParameterName, 'How to read; auto maps finished segments into memory and reads the others')
            [CompletionResult]::new('--key-file', '--key-file', [CompletionResultType]::ParameterName, 'A file with keys for encrypted payloads: 64 hex digits a line, oldest first; what is written is encrypted with the last one')
            [CompletionResult]::new('--lsn', '--lsn', [CompletionResultType]::ParameterName, 'LSNs A..B, both included; also A.., ..B, N, and numbers below zero to count from the end: -100..')
            [CompletionResult]::new('--since', '--since', [CompletionResultType]::ParameterName, 'Written at this time or later: 2026-01-02T03:04:05Z, a date, or `10min ago`')
            [CompletionResult]::new('--until', '--until', [CompletionResultType]::ParameterName, 'Written at this time or earlier')
            [CompletionResult]::new('--kind', '--kind', [CompletionResultType]::ParameterName, 'Of this kind: full, checkpoint, txn-begin, ... as the format names them; may be given several times')
            [CompletionResult]::new('--tag', '--tag', [CompletionResultType]::ParameterName, 'With this tag; may be given several times')
            [CompletionResult]::new('--grep', '--grep', [CompletionResultType]::ParameterName, 'With a payload in which this regular expression is found; (?i) in front ignores case')
            [CompletionResult]::new('-C', '-C ', [CompletionResultType]::ParameterName, 'Also up to N records before and behind each one that --grep finds')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Also up to N records before and behind each one that --grep finds')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'At most the first N')
            [CompletionResult]::new('--limit', '--limit', [CompletionResultType]::ParameterName, 'At most the first N')
            [CompletionResult]::new('--tail', '--tail', [CompletionResultType]::ParameterName, 'Only the last N')
            [CompletionResult]::new('--cursor', '--cursor', [CompletionResultType]::ParameterName, 'Go on behind the last record of the run before; FILE keeps where that was')
            [CompletionResult]::new('--payload', '--payload', [CompletionResultType]::ParameterName, 'How payloads are shown')
            [CompletionResult]::new('--delimiter', '--delimiter', [CompletionResultType]::ParameterName, 'What stands between raw payloads')
            [CompletionResult]::new('--out-dir', '--out-dir', [CompletionResultType]::ParameterName, 'Payloads only, each into a file of its own in this folder, named by its LSN')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours; auto means on a terminal and without NO_COLOR')
            [CompletionResult]::new('--reverse', '--reverse', [CompletionResultType]::ParameterName, 'From the end of the log to its start')
            [CompletionResult]::new('--fail-empty', '--fail-empty', [CompletionResultType]::ParameterName, 'End with code 7 if no record is shown')
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'Wait for more when the end is reached, across segments, until interrupted')
            [CompletionResult]::new('--follow', '--follow', [CompletionResultType]::ParameterName, 'Wait for more when the end is reached, across segments, until interrupted')
            [CompletionResult]::new('--redact', '--redact', [CompletionResultType]::ParameterName, 'Length and keyed hash instead of content, safe for a ticket; equal contents have equal hashes within one run')
            [CompletionResult]::new('--frames', '--frames', [CompletionResultType]::ParameterName, 'Everything as it lies there: fragments, padding, control frames; + begins what one sync made durable')
            [CompletionResult]::new('--hex', '--hex', [CompletionResultType]::ParameterName, 'Bytes of each frame with its fields drawn over them (implies --frames)')
            [CompletionResult]::new('--csv', '--csv', [CompletionResultType]::ParameterName, 'Comma separated values with one line of heads')
            [CompletionResult]::new('--raw', '--raw', [CompletionResultType]::ParameterName, 'Payloads only, as they are')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Results as JSON, one object a line; failures as one JSON object on standard error')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No results and no progress; the exit code tells')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No results and no progress; the exit code tells')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'walctl;verify' {
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How the log lies on disk; auto tells by content and name, list shows all formats')
            [CompletionResult]::new('--io', '--io', [CompletionResultType]::ParameterName, 'How to read; auto maps finished segments into memory and reads the others')
            [CompletionResult]::new('--key-file', '--key-file', [CompletionResultType]::ParameterName, 'A file with keys for encrypted payloads: 64 hex digits a line, oldest first; what is written is encrypted with the last one')
            [CompletionResult]::new('-j', '-j', [CompletionResultType]::ParameterName, 'How many segments to check at once [default: one for each processor]')
            [CompletionResult]::new('--jobs', '--jobs', [CompletionResultType]::ParameterName, 'How many segments to check at once [default: one for each processor]')
            [CompletionResult]::new('--max-rate', '--max-rate', [CompletionResultType]::ParameterName, 'Read no faster than this, and leave the disk to the service: 100MiB/s')
            [CompletionResult]::new('--ledger', '--ledger', [CompletionResultType]::ParameterName, 'A ledger that append wrote: say which acknowledged records the log lacks, and end with 7 if it lacks any')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours; auto means on a terminal and without NO_COLOR')
            [CompletionResult]::new('--media', '--media', [CompletionResultType]::ParameterName, 'Read past the page cache, and report where the medium holds something else than the cache says')
            [CompletionResult]::new('--deep', '--deep', [CompletionResultType]::ParameterName, 'Also decrypt, decompress, and look for open transactions and orphaned fragments. An encrypted log needs its keys for it')
            [CompletionResult]::new('--map', '--map', [CompletionResultType]::ParameterName, 'Draw each segment as one line: frames, padding, reserved zeros, damage')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Results as JSON, one object a line; failures as one JSON object on standard error')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No results and no progress; the exit code tells')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No results and no progress; the exit code tells')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'walctl;repair' {
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How the log lies on disk; auto tells by content and name, list shows all formats')
            [CompletionResult]::new('--io', '--io', [CompletionResultType]::ParameterName, 'How to read; auto maps finished segments into memory and reads the others')
            [CompletionResult]::new('--key-file', '--key-file', [CompletionResultType]::ParameterName, 'A file with keys for encrypted payloads: 64 hex digits a line, oldest first; what is written is encrypted with the last one')
            [CompletionResult]::new('--max-cut', '--max-cut', [CompletionResultType]::ParameterName, 'Refuse to cut more than this from a segment')
            [CompletionResult]::new('--at', '--at', [CompletionResultType]::ParameterName, 'Cut everything behind this LSN, on purpose; the log gives those LSNs again')
            [CompletionResult]::new('--accept-hole', '--accept-hole', [CompletionResultType]::ParameterName, 'Accept that these records are gone for good (41..60): write a known hole there, of which verify still tells and which it calls clean')
            [CompletionResult]::new('--salvage', '--salvage', [CompletionResultType]::ParameterName, 'Write all that is valid into a new log in this folder, and leave the old one alone')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours; auto means on a terminal and without NO_COLOR')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Say what would be done, and stop there')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Say what would be done, and stop there')
            [CompletionResult]::new('--accept-suspect', '--accept-suspect', [CompletionResultType]::ParameterName, 'Also cut a tail of which nobody can tell whether it is torn or rotten')
            [CompletionResult]::new('--accept-running', '--accept-running', [CompletionResultType]::ParameterName, 'Mend another system''s log although a process has it open or locked')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Yes, do what --at or --accept-hole would do')
            [CompletionResult]::new('--from-dwb', '--from-dwb', [CompletionResultType]::ParameterName, 'Put a torn end back from nodedb''s double-write file, and cut only what that does not hold')
            [CompletionResult]::new('--undo', '--undo', [CompletionResultType]::ParameterName, 'Put the cuts of the newest repair back, unless the log has grown since')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Results as JSON, one object a line; failures as one JSON object on standard error')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No results and no progress; the exit code tells')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No results and no progress; the exit code tells')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'walctl;append' {
            [CompletionResult]::new('--delimiter', '--delimiter', [CompletionResultType]::ParameterName, 'How records lie in standard input [default: lf]')
            [CompletionResult]::new('--text', '--text', [CompletionResultType]::ParameterName, 'A record with this text; may be given several times')
            [CompletionResult]::new('--file', '--file', [CompletionResultType]::ParameterName, 'A record with the content of this file; may be given several times')
            [CompletionResult]::new('--count', '--count', [CompletionResultType]::ParameterName, 'Make up so many records')
            [CompletionResult]::new('--size', '--size', [CompletionResultType]::ParameterName, 'How long made-up records are')
            [CompletionResult]::new('--rate', '--rate', [CompletionResultType]::ParameterName, 'At most so many records a second')
            [CompletionResult]::new('--kind', '--kind', [CompletionResultType]::ParameterName, 'What the records are: full, checkpoint, txn-begin, txn-commit or txn-abort [default: full]')
            [CompletionResult]::new('--tag', '--tag', [CompletionResultType]::ParameterName, 'The number that the records bear; in a checkpoint, the LSN up to which state is safe elsewhere [default: 0]')
            [CompletionResult]::new('--batch', '--batch', [CompletionResultType]::ParameterName, 'Let so many records at a time, or all, survive a crash together or not at all')
            [CompletionResult]::new('--ledger', '--ledger', [CompletionResultType]::ParameterName, 'Also write each acknowledged LSN and a digest of its payload to this file: a line is durable before its LSN is printed. After a crash it may lack records that are durable and whose LSNs were not printed yet, and no others')
            [CompletionResult]::new('--preset', '--preset', [CompletionResultType]::ParameterName, 'Settings that belong together; what is given besides counts more. Prints what it sets')
            [CompletionResult]::new('--sync', '--sync', [CompletionResultType]::ParameterName, 'What makes a group durable: fdatasync, fsync, dsync, none or interval=DURATION [default: fdatasync]')
            [CompletionResult]::new('--window', '--window', [CompletionResultType]::ParameterName, 'How long a group waits for company: auto, 0, or a span of time from its first record on [default: auto]')
            [CompletionResult]::new('--preallocate', '--preallocate', [CompletionResultType]::ParameterName, 'How room is made ahead: none, sparse, fallocate or zero [default: zero]')
            [CompletionResult]::new('--segment-bytes', '--segment-bytes', [CompletionResultType]::ParameterName, 'Seal a segment before it grows beyond this size [default: 64MiB]')
            [CompletionResult]::new('--segment-records', '--segment-records', [CompletionResultType]::ParameterName, 'Seal a segment when it holds so many records')
            [CompletionResult]::new('--segment-age', '--segment-age', [CompletionResultType]::ParameterName, 'Seal a segment when its first record came so long ago, though nothing more comes')
            [CompletionResult]::new('--group-bytes', '--group-bytes', [CompletionResultType]::ParameterName, 'Let a group have no more bytes than this [default: 4MiB]')
            [CompletionResult]::new('--group-records', '--group-records', [CompletionResultType]::ParameterName, 'Let a group have no more records than this [default: 65536]')
            [CompletionResult]::new('--queue-bytes', '--queue-bytes', [CompletionResultType]::ParameterName, 'Take nothing more in while so many bytes are on their way [default: 16MiB]')
            [CompletionResult]::new('--frame-limit', '--frame-limit', [CompletionResultType]::ParameterName, 'Split payloads that are longer than this [default: 1MiB]')
            [CompletionResult]::new('--compress', '--compress', [CompletionResultType]::ParameterName, 'Compress payloads')
            [CompletionResult]::new('--compress-min', '--compress-min', [CompletionResultType]::ParameterName, 'Leave payloads alone that are shorter than this')
            [CompletionResult]::new('--key-file', '--key-file', [CompletionResultType]::ParameterName, 'A file with keys for encrypted payloads: 64 hex digits a line, oldest first; what is written is encrypted with the last one')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours; auto means on a terminal and without NO_COLOR')
            [CompletionResult]::new('--keep-lsn', '--keep-lsn', [CompletionResultType]::ParameterName, 'Give records the LSNs that the JSON lines tell; a gap is refused')
            [CompletionResult]::new('--repair', '--repair', [CompletionResultType]::ParameterName, 'Cut a torn tail first, as `walctl repair` does')
            [CompletionResult]::new('--direct', '--direct', [CompletionResultType]::ParameterName, 'Write past the page cache, in whole blocks of which none is written twice')
            [CompletionResult]::new('--buffered', '--buffered', [CompletionResultType]::ParameterName, 'Write everything through the page cache. Otherwise groups go past it where room is ready for them, and who follows the log on this machine reads them from the disk')
            [CompletionResult]::new('--new-key', '--new-key', [CompletionResultType]::ParameterName, 'Begin a new key: encrypt with the last one of the key file, though the log''s newest key is not in it. Its older records are read with a key file that holds both')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Results as JSON, one object a line; failures as one JSON object on standard error')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No results and no progress; the exit code tells')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No results and no progress; the exit code tells')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'walctl;rotate' {
            [CompletionResult]::new('--checkpoint', '--checkpoint', [CompletionResultType]::ParameterName, 'Write a checkpoint first: state up to this LSN is safe elsewhere')
            [CompletionResult]::new('--keep-segments', '--keep-segments', [CompletionResultType]::ParameterName, 'Keep so many of the newest segments, the active one included')
            [CompletionResult]::new('--keep-bytes', '--keep-bytes', [CompletionResultType]::ParameterName, 'Keep as many of the newest segments as fit into this')
            [CompletionResult]::new('--keep-for', '--keep-for', [CompletionResultType]::ParameterName, 'Keep segments with a record that is not older than this')
            [CompletionResult]::new('--pin', '--pin', [CompletionResultType]::ParameterName, 'Keep what is not yet read by the reader whose cursor `dump --cursor` keeps in this file; may be given several times')
            [CompletionResult]::new('--archive', '--archive', [CompletionResultType]::ParameterName, 'Copy segments there before they go; each copy is synced and checked first')
            [CompletionResult]::new('--key-file', '--key-file', [CompletionResultType]::ParameterName, 'A file with keys for encrypted payloads: 64 hex digits a line, oldest first; what is written is encrypted with the last one')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours; auto means on a terminal and without NO_COLOR')
            [CompletionResult]::new('--prune', '--prune', [CompletionResultType]::ParameterName, 'Let go what lies below the newest checkpoint, and nothing else')
            [CompletionResult]::new('--force', '--force', [CompletionResultType]::ParameterName, 'Let segments go although a checkpoint, a transaction or a pin keeps them')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Change nothing; print the names of the segments that would go, one a line')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Change nothing; print the names of the segments that would go, one a line')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Results as JSON, one object a line; failures as one JSON object on standard error')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No results and no progress; the exit code tells')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No results and no progress; the exit code tells')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'walctl;stats' {
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How the log lies on disk; auto tells by content and name, list shows all formats')
            [CompletionResult]::new('--io', '--io', [CompletionResultType]::ParameterName, 'How to read; auto maps finished segments into memory and reads the others')
            [CompletionResult]::new('--key-file', '--key-file', [CompletionResultType]::ParameterName, 'A file with keys for encrypted payloads: 64 hex digits a line, oldest first; what is written is encrypted with the last one')
            [CompletionResult]::new('--top', '--top', [CompletionResultType]::ParameterName, 'How many tags, and how many of the newest segments to show; 0 for all')
            [CompletionResult]::new('--fail-if', '--fail-if', [CompletionResultType]::ParameterName, 'End with 7 when this holds for a log, as in replay_seconds>30; can be given several times')
            [CompletionResult]::new('--watch', '--watch', [CompletionResultType]::ParameterName, 'Count again after this time, until interrupted')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours; auto means on a terminal and without NO_COLOR')
            [CompletionResult]::new('--scan', '--scan', [CompletionResultType]::ParameterName, 'Read every segment, and believe no seal: only then can the log be called clean')
            [CompletionResult]::new('--openmetrics', '--openmetrics', [CompletionResultType]::ParameterName, 'As OpenMetrics text, for scrapers')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Results as JSON, one object a line; failures as one JSON object on standard error')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No results and no progress; the exit code tells')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No results and no progress; the exit code tells')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'walctl;bench' {
            [CompletionResult]::new('--appenders', '--appenders', [CompletionResultType]::ParameterName, 'Threads that append: a list [default: 1,16,64]')
            [CompletionResult]::new('--size', '--size', [CompletionResultType]::ParameterName, 'Lengths of records: a list [default: 128]')
            [CompletionResult]::new('--size-dist', '--size-dist', [CompletionResultType]::ParameterName, 'Lengths of records with weights: 128:90,4KiB:10')
            [CompletionResult]::new('--from', '--from', [CompletionResultType]::ParameterName, 'Append the payloads of this log')
            [CompletionResult]::new('--window', '--window', [CompletionResultType]::ParameterName, 'Commit windows: a list of auto, 0 and spans of time')
            [CompletionResult]::new('--sync', '--sync', [CompletionResultType]::ParameterName, 'Sync modes: a list of fdatasync, fsync, dsync, none and interval=SPAN')
            [CompletionResult]::new('--preallocate', '--preallocate', [CompletionResultType]::ParameterName, 'How room is made ahead: a list of none, sparse, fallocate and zero')
            [CompletionResult]::new('--direct', '--direct', [CompletionResultType]::ParameterName, 'Write past the page cache: yes, or no,yes for both')
            [CompletionResult]::new('--buffered', '--buffered', [CompletionResultType]::ParameterName, 'Write everything through the page cache, as `append --buffered` does: yes, or no,yes for both')
            [CompletionResult]::new('--inflight', '--inflight', [CompletionResultType]::ParameterName, 'Records that each appender has on their way at a time: a list [default: 1]')
            [CompletionResult]::new('--rate', '--rate', [CompletionResultType]::ParameterName, 'Appends a second, begun on time whatever the disk does: a list [default: as fast as they are acknowledged]')
            [CompletionResult]::new('--duration', '--duration', [CompletionResultType]::ParameterName, 'How long each repeat is measured [default: 1s]')
            [CompletionResult]::new('--warmup', '--warmup', [CompletionResultType]::ParameterName, 'How long each repeat runs before it is measured [default: a fifth of the duration]')
            [CompletionResult]::new('--repeats', '--repeats', [CompletionResultType]::ParameterName, 'How often each cell is measured [default: 5]')
            [CompletionResult]::new('--target', '--target', [CompletionResultType]::ParameterName, 'Look for the highest rate that keeps a latency: ''p99<2ms''')
            [CompletionResult]::new('--svg', '--svg', [CompletionResultType]::ParameterName, 'Also write the charts to this file')
            [CompletionResult]::new('--html', '--html', [CompletionResultType]::ParameterName, 'Also write everything to this file as one page that needs nothing else')
            [CompletionResult]::new('--baseline', '--baseline', [CompletionResultType]::ParameterName, 'What an earlier `bench --json` printed, to compare with')
            [CompletionResult]::new('--fail-if', '--fail-if', [CompletionResultType]::ParameterName, 'End with 7 if this is so: ''p99>+10%'' (needs --baseline), ''p99>2ms'', ''rate<10000''; may be given several times')
            [CompletionResult]::new('--crash-test', '--crash-test', [CompletionResultType]::ParameterName, 'Kill an appender so often at random moments, and check what it had acknowledged')
            [CompletionResult]::new('--crash-image', '--crash-image', [CompletionResultType]::ParameterName, 'For the crash test: mount this image of a filesystem and shut it down instead, as if the power failed (needs root)')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours; auto means on a terminal and without NO_COLOR')
            [CompletionResult]::new('--disk', '--disk', [CompletionResultType]::ParameterName, 'Measure the disk by itself and nothing else')
            [CompletionResult]::new('--csv', '--csv', [CompletionResultType]::ParameterName, 'Figures as CSV')
            [CompletionResult]::new('--markdown', '--markdown', [CompletionResultType]::ParameterName, 'Figures as a Markdown table')
            [CompletionResult]::new('--unlike', '--unlike', [CompletionResultType]::ParameterName, 'Compare with a baseline from another kind of machine')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Results as JSON, one object a line; failures as one JSON object on standard error')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No results and no progress; the exit code tells')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No results and no progress; the exit code tells')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
    })

    $completions.Where{ $_.CompletionText -like "$wordToComplete*" } |
        Sort-Object -Property ListItemText
}


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
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print no results and no progress; only the exit code answers')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print no results and no progress; only the exit code answers')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('dump', 'dump', [CompletionResultType]::ParameterValue, 'Show the records of logs, past any damage')
            [CompletionResult]::new('verify', 'verify', [CompletionResultType]::ParameterValue, 'Check logs; for each piece of damage, say what it means and what to do next')
            [CompletionResult]::new('repair', 'repair', [CompletionResultType]::ParameterValue, 'Cut torn tails after saving their bytes, or salvage what is valid')
            [CompletionResult]::new('append', 'append', [CompletionResultType]::ParameterValue, 'Append records and print the LSN of each once it is durable')
            [CompletionResult]::new('rotate', 'rotate', [CompletionResultType]::ParameterValue, 'Seal the active segment and begin the next one; remove old segments by rule')
            [CompletionResult]::new('stats', 'stats', [CompletionResultType]::ParameterValue, 'Count and measure what is in logs')
            [CompletionResult]::new('diff', 'diff', [CompletionResultType]::ParameterValue, 'Compare two logs record by record: where they part, what only one has, what differs')
            [CompletionResult]::new('bench', 'bench', [CompletionResultType]::ParameterValue, 'Measure how fast records become durable, and how to tune it')
            [CompletionResult]::new('explain', 'explain', [CompletionResultType]::ParameterValue, 'Say what a word of the output means: a kind of damage, a verdict or an exit code')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print the completions for a shell')
            [CompletionResult]::new('man', 'man', [CompletionResultType]::ParameterValue, 'Show the manual page of walctl or of a command')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Show the help of walctl or of a command')
            break
        }
        'walctl;dump' {
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'Format of the log; auto recognises it by content and name, list prints all formats')
            [CompletionResult]::new('--io', '--io', [CompletionResultType]::ParameterName, 'How to read; auto maps finished segments into memory and reads the others')
            [CompletionResult]::new('--key-file', '--key-file', [CompletionResultType]::ParameterName, 'A file with keys for encrypted payloads: 64 hex digits a line, oldest first; append encrypts with the last one')
            [CompletionResult]::new('--lsn', '--lsn', [CompletionResultType]::ParameterName, 'Records with LSNs A..B, both included; also A.., ..B, N, negative numbers to count from the end: -100.., and positions: 0/D13C90..')
            [CompletionResult]::new('--since', '--since', [CompletionResultType]::ParameterName, 'Records written at this time or later: 2026-01-02T03:04:05Z, a date, 03:04, today, yesterday, `10min ago` or -10min')
            [CompletionResult]::new('--until', '--until', [CompletionResultType]::ParameterName, 'Records written at this time or earlier')
            [CompletionResult]::new('--kind', '--kind', [CompletionResultType]::ParameterName, 'Records of this kind: full, checkpoint, txn-begin, ... as the format names them; repeat the flag for more kinds')
            [CompletionResult]::new('--tag', '--tag', [CompletionResultType]::ParameterName, 'Records with this tag; repeat the flag for more tags')
            [CompletionResult]::new('--grep', '--grep', [CompletionResultType]::ParameterName, 'Records whose payload or decoded content matches this regular expression; (?i) in front ignores case')
            [CompletionResult]::new('-C', '-C ', [CompletionResultType]::ParameterName, 'Also N records before and after each one that --grep finds')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Also N records before and after each one that --grep finds')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'At most the first N')
            [CompletionResult]::new('--limit', '--limit', [CompletionResultType]::ParameterName, 'At most the first N')
            [CompletionResult]::new('--tail', '--tail', [CompletionResultType]::ParameterName, 'Only the last N')
            [CompletionResult]::new('--cursor', '--cursor', [CompletionResultType]::ParameterName, 'Continue after the last record of the previous run; FILE keeps the position')
            [CompletionResult]::new('--decode', '--decode', [CompletionResultType]::ParameterName, 'What records of other systems mean: on, or none to show payloads only')
            [CompletionResult]::new('--payload', '--payload', [CompletionResultType]::ParameterName, 'How payloads are shown')
            [CompletionResult]::new('--delimiter', '--delimiter', [CompletionResultType]::ParameterName, 'Separator between raw payloads')
            [CompletionResult]::new('-j', '-j', [CompletionResultType]::ParameterName, 'How many threads make lines of JSON and CSV [default: one for each processor]')
            [CompletionResult]::new('--jobs', '--jobs', [CompletionResultType]::ParameterName, 'How many threads make lines of JSON and CSV [default: one for each processor]')
            [CompletionResult]::new('--out-dir', '--out-dir', [CompletionResultType]::ParameterName, 'Write each payload into a file of its own in this folder, named by its LSN')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours; auto means on a terminal and without NO_COLOR')
            [CompletionResult]::new('--reverse', '--reverse', [CompletionResultType]::ParameterName, 'From the end of the log to its start')
            [CompletionResult]::new('--fail-empty', '--fail-empty', [CompletionResultType]::ParameterName, 'End with code 7 if no record is shown')
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'At the end, wait for more records, across segments, until interrupted')
            [CompletionResult]::new('--follow', '--follow', [CompletionResultType]::ParameterName, 'At the end, wait for more records, across segments, until interrupted')
            [CompletionResult]::new('--show-values', '--show-values', [CompletionResultType]::ParameterName, 'Show the values in decoded records; without it they are shown by length and keyed hash')
            [CompletionResult]::new('--local', '--local', [CompletionResultType]::ParameterName, 'Times of the table, and those of --since and --until without an offset, are of this machine''s zone and not UTC')
            [CompletionResult]::new('--redact', '--redact', [CompletionResultType]::ParameterName, 'Length and keyed hash instead of content, safe for a ticket; equal contents have equal hashes within one run')
            [CompletionResult]::new('--frames', '--frames', [CompletionResultType]::ParameterName, 'Show frames as they are on disk: fragments, padding, control frames; + marks the first frame of what one sync made durable')
            [CompletionResult]::new('--hex', '--hex', [CompletionResultType]::ParameterName, 'Bytes of each frame with its fields drawn over them (implies --frames)')
            [CompletionResult]::new('--csv', '--csv', [CompletionResultType]::ParameterName, 'Comma-separated values with a header line')
            [CompletionResult]::new('--raw', '--raw', [CompletionResultType]::ParameterName, 'Payloads only, as they are')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Results as JSON, one object a line; failures as one JSON object on standard error')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print no results and no progress; only the exit code answers')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print no results and no progress; only the exit code answers')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'walctl;verify' {
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'Format of the log; auto recognises it by content and name, list prints all formats')
            [CompletionResult]::new('--io', '--io', [CompletionResultType]::ParameterName, 'How to read; auto maps finished segments into memory and reads the others')
            [CompletionResult]::new('--key-file', '--key-file', [CompletionResultType]::ParameterName, 'A file with keys for encrypted payloads: 64 hex digits a line, oldest first; append encrypts with the last one')
            [CompletionResult]::new('-j', '-j', [CompletionResultType]::ParameterName, 'How many segments to check at once [default: one for each processor]')
            [CompletionResult]::new('--jobs', '--jobs', [CompletionResultType]::ParameterName, 'How many segments to check at once [default: one for each processor]')
            [CompletionResult]::new('--max-rate', '--max-rate', [CompletionResultType]::ParameterName, 'Read no faster than this, to leave the disk to the service: 100MiB/s')
            [CompletionResult]::new('--ledger', '--ledger', [CompletionResultType]::ParameterName, 'Compare with a ledger that append wrote: list acknowledged records that the log lacks, and end with 7 if there are any')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours; auto means on a terminal and without NO_COLOR')
            [CompletionResult]::new('--media', '--media', [CompletionResultType]::ParameterName, 'Also read with the page cache bypassed, and report where the disk holds other bytes than the cache')
            [CompletionResult]::new('--deep', '--deep', [CompletionResultType]::ParameterName, 'Also decrypt, decompress, and look for open transactions and orphaned fragments. An encrypted log needs its keys for this')
            [CompletionResult]::new('--map', '--map', [CompletionResultType]::ParameterName, 'Draw each segment as one line: frames, padding, reserved zeros, damage')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Results as JSON, one object a line; failures as one JSON object on standard error')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print no results and no progress; only the exit code answers')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print no results and no progress; only the exit code answers')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'walctl;repair' {
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'Format of the log; auto recognises it by content and name, list prints all formats')
            [CompletionResult]::new('--io', '--io', [CompletionResultType]::ParameterName, 'How to read; auto maps finished segments into memory and reads the others')
            [CompletionResult]::new('--key-file', '--key-file', [CompletionResultType]::ParameterName, 'A file with keys for encrypted payloads: 64 hex digits a line, oldest first; append encrypts with the last one')
            [CompletionResult]::new('--max-cut', '--max-cut', [CompletionResultType]::ParameterName, 'Refuse to cut more than this from a segment')
            [CompletionResult]::new('--at', '--at', [CompletionResultType]::ParameterName, 'Cut everything after this LSN, on purpose; the removed LSNs are assigned again')
            [CompletionResult]::new('--accept-hole', '--accept-hole', [CompletionResultType]::ParameterName, 'Accept that these records are gone for good (41..60): write a known hole, which verify reports and calls clean')
            [CompletionResult]::new('--salvage', '--salvage', [CompletionResultType]::ParameterName, 'Copy everything valid into a new log in this folder; the old log is not changed')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours; auto means on a terminal and without NO_COLOR')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Print the plan and change nothing')
            [CompletionResult]::new('--accept-suspect', '--accept-suspect', [CompletionResultType]::ParameterName, 'Also cut a tail that may be torn or rotten: nothing in the log can decide which')
            [CompletionResult]::new('--accept-running', '--accept-running', [CompletionResultType]::ParameterName, 'Mend another system''s log although a process has it open or locked')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Confirm --at or --accept-hole')
            [CompletionResult]::new('--from-dwb', '--from-dwb', [CompletionResultType]::ParameterName, 'Restore a torn end from nodedb''s double-write file, and cut only what that file does not hold')
            [CompletionResult]::new('--undo', '--undo', [CompletionResultType]::ParameterName, 'Put back the cuts of the newest repair, unless the log has grown since')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Results as JSON, one object a line; failures as one JSON object on standard error')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print no results and no progress; only the exit code answers')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print no results and no progress; only the exit code answers')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'walctl;append' {
            [CompletionResult]::new('--delimiter', '--delimiter', [CompletionResultType]::ParameterName, 'How records are separated on standard input [default: lf]')
            [CompletionResult]::new('--text', '--text', [CompletionResultType]::ParameterName, 'Append a record with this text; repeat the flag for more records')
            [CompletionResult]::new('--file', '--file', [CompletionResultType]::ParameterName, 'Append the content of this file as one record; repeat the flag for more records')
            [CompletionResult]::new('--count', '--count', [CompletionResultType]::ParameterName, 'Append N made-up records')
            [CompletionResult]::new('--size', '--size', [CompletionResultType]::ParameterName, 'Length of made-up records')
            [CompletionResult]::new('--rate', '--rate', [CompletionResultType]::ParameterName, 'Append at most N records a second')
            [CompletionResult]::new('--kind', '--kind', [CompletionResultType]::ParameterName, 'Kind of the records: full, checkpoint, txn-begin, txn-commit or txn-abort [default: full]')
            [CompletionResult]::new('--tag', '--tag', [CompletionResultType]::ParameterName, 'Tag of the records, a number of your own; in a checkpoint, the LSN up to which state is safe elsewhere [default: 0]')
            [CompletionResult]::new('--batch', '--batch', [CompletionResultType]::ParameterName, 'Make every N records (or all of them) one atomic batch: a crash keeps all of a batch or nothing of it')
            [CompletionResult]::new('--ledger', '--ledger', [CompletionResultType]::ParameterName, 'Also write each acknowledged LSN and a digest of its payload to this file: a line is durable before its LSN is printed. After a crash it may lack records that are durable and whose LSNs were not printed yet, and no others')
            [CompletionResult]::new('--preset', '--preset', [CompletionResultType]::ParameterName, 'A named set of options; options given explicitly override it. Prints what it sets')
            [CompletionResult]::new('--sync', '--sync', [CompletionResultType]::ParameterName, 'What makes a group durable: fdatasync, fsync, dsync, none or interval=DURATION [default: fdatasync]')
            [CompletionResult]::new('--window', '--window', [CompletionResultType]::ParameterName, 'Commit window, how long a group waits for more records: auto, 0, or a duration from its first record on [default: auto]')
            [CompletionResult]::new('--preallocate', '--preallocate', [CompletionResultType]::ParameterName, 'How space is reserved ahead of the data: none, sparse, fallocate or zero [default: zero]')
            [CompletionResult]::new('--segment-bytes', '--segment-bytes', [CompletionResultType]::ParameterName, 'Seal a segment before it grows beyond this size [default: 64MiB]')
            [CompletionResult]::new('--segment-records', '--segment-records', [CompletionResultType]::ParameterName, 'Seal a segment when it holds N records')
            [CompletionResult]::new('--segment-age', '--segment-age', [CompletionResultType]::ParameterName, 'Seal a segment when its first record is this old, even if no more records come')
            [CompletionResult]::new('--group-bytes', '--group-bytes', [CompletionResultType]::ParameterName, 'Largest group, in bytes [default: 4MiB]')
            [CompletionResult]::new('--group-records', '--group-records', [CompletionResultType]::ParameterName, 'Largest group, in records [default: 65536]')
            [CompletionResult]::new('--queue-bytes', '--queue-bytes', [CompletionResultType]::ParameterName, 'Make callers wait while more bytes than this are queued or being written [default: 16MiB]')
            [CompletionResult]::new('--frame-limit', '--frame-limit', [CompletionResultType]::ParameterName, 'Split payloads longer than this into fragments [default: 1MiB]')
            [CompletionResult]::new('--compress', '--compress', [CompletionResultType]::ParameterName, 'Compress payloads')
            [CompletionResult]::new('--compress-min', '--compress-min', [CompletionResultType]::ParameterName, 'Do not compress payloads shorter than this')
            [CompletionResult]::new('--keep-segments', '--keep-segments', [CompletionResultType]::ParameterName, 'While writing, remove old segments, but keep the N newest, including the active one. With several of these flags, a segment stays if any of them keeps it; what reaches above the newest checkpoint, holds the beginning of an open transaction, or was not read by a --pin or a kept pin always stays')
            [CompletionResult]::new('--keep-bytes', '--keep-bytes', [CompletionResultType]::ParameterName, 'While writing, remove old segments, but keep the newest ones up to this size in total')
            [CompletionResult]::new('--keep-for', '--keep-for', [CompletionResultType]::ParameterName, 'While writing, remove old segments, but keep those that hold a record not older than this')
            [CompletionResult]::new('--pin', '--pin', [CompletionResultType]::ParameterName, 'Keep what a reader has not read yet: FILE is its `dump --cursor` file, read again each time; repeat the flag for more readers')
            [CompletionResult]::new('--key-file', '--key-file', [CompletionResultType]::ParameterName, 'A file with keys for encrypted payloads: 64 hex digits a line, oldest first; append encrypts with the last one')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours; auto means on a terminal and without NO_COLOR')
            [CompletionResult]::new('--keep-lsn', '--keep-lsn', [CompletionResultType]::ParameterName, 'Keep the LSNs of the JSON lines; a gap is refused')
            [CompletionResult]::new('--repair', '--repair', [CompletionResultType]::ParameterName, 'Cut a torn tail first, as `walctl repair` does')
            [CompletionResult]::new('--direct', '--direct', [CompletionResultType]::ParameterName, 'Bypass the page cache (O_DIRECT), in whole blocks; no block is written twice')
            [CompletionResult]::new('--buffered', '--buffered', [CompletionResultType]::ParameterName, 'Write everything through the page cache. By default groups bypass it wherever zero-filled space is ready for them, so that a process that follows the log on this machine reads them from the disk')
            [CompletionResult]::new('--new-key', '--new-key', [CompletionResultType]::ParameterName, 'Begin a new key: encrypt with the last key of the key file, although the log''s newest key is not in it. To read the older records too, use a key file that holds both')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Results as JSON, one object a line; failures as one JSON object on standard error')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print no results and no progress; only the exit code answers')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print no results and no progress; only the exit code answers')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'walctl;rotate' {
            [CompletionResult]::new('--checkpoint', '--checkpoint', [CompletionResultType]::ParameterName, 'Write a checkpoint first: state up to this LSN is safe elsewhere')
            [CompletionResult]::new('--keep-segments', '--keep-segments', [CompletionResultType]::ParameterName, 'Keep the N newest segments, including the active one')
            [CompletionResult]::new('--keep-bytes', '--keep-bytes', [CompletionResultType]::ParameterName, 'Keep the newest segments, up to this size in total')
            [CompletionResult]::new('--keep-for', '--keep-for', [CompletionResultType]::ParameterName, 'Keep segments that hold a record not older than this')
            [CompletionResult]::new('--pin', '--pin', [CompletionResultType]::ParameterName, 'Keep what a reader has not read yet: FILE is its `dump --cursor` file; repeat the flag for more readers')
            [CompletionResult]::new('--archive', '--archive', [CompletionResultType]::ParameterName, 'Copy segments into this folder before they are removed; each copy is synced and compared first')
            [CompletionResult]::new('--key-file', '--key-file', [CompletionResultType]::ParameterName, 'A file with keys for encrypted payloads: 64 hex digits a line, oldest first; append encrypts with the last one')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours; auto means on a terminal and without NO_COLOR')
            [CompletionResult]::new('--prune', '--prune', [CompletionResultType]::ParameterName, 'Remove segments that lie below the newest checkpoint, and nothing else')
            [CompletionResult]::new('--force', '--force', [CompletionResultType]::ParameterName, 'Remove segments even if a checkpoint, a transaction or a pin keeps them')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Change nothing; print the names of the segments that would be removed, one a line')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Results as JSON, one object a line; failures as one JSON object on standard error')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print no results and no progress; only the exit code answers')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print no results and no progress; only the exit code answers')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'walctl;stats' {
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'Format of the log; auto recognises it by content and name, list prints all formats')
            [CompletionResult]::new('--io', '--io', [CompletionResultType]::ParameterName, 'How to read; auto maps finished segments into memory and reads the others')
            [CompletionResult]::new('--key-file', '--key-file', [CompletionResultType]::ParameterName, 'A file with keys for encrypted payloads: 64 hex digits a line, oldest first; append encrypts with the last one')
            [CompletionResult]::new('--top', '--top', [CompletionResultType]::ParameterName, 'Show N tags and the N newest segments; 0 shows all')
            [CompletionResult]::new('--fail-if', '--fail-if', [CompletionResultType]::ParameterName, 'End with 7 if this holds for a log, as in replay_seconds>30; repeat the flag for more rules')
            [CompletionResult]::new('--watch', '--watch', [CompletionResultType]::ParameterName, 'Count again after this time, until interrupted')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours; auto means on a terminal and without NO_COLOR')
            [CompletionResult]::new('--scan', '--scan', [CompletionResultType]::ParameterName, 'Read every segment instead of trusting Seals: only then can the verdict be clean')
            [CompletionResult]::new('--openmetrics', '--openmetrics', [CompletionResultType]::ParameterName, 'Print OpenMetrics text, for scrapers')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Results as JSON, one object a line; failures as one JSON object on standard error')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print no results and no progress; only the exit code answers')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print no results and no progress; only the exit code answers')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'walctl;diff' {
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'Format of the log; auto recognises it by content and name, list prints all formats')
            [CompletionResult]::new('--io', '--io', [CompletionResultType]::ParameterName, 'How to read; auto maps finished segments into memory and reads the others')
            [CompletionResult]::new('--key-file', '--key-file', [CompletionResultType]::ParameterName, 'A file with keys for encrypted payloads: 64 hex digits a line, oldest first; append encrypts with the last one')
            [CompletionResult]::new('--from', '--from', [CompletionResultType]::ParameterName, 'Compare records from this LSN on')
            [CompletionResult]::new('--to', '--to', [CompletionResultType]::ParameterName, 'Compare records up to this LSN')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'List at most N ranges of each sort; the counts stay complete [default: 20, with --json 10000]')
            [CompletionResult]::new('--limit', '--limit', [CompletionResultType]::ParameterName, 'List at most N ranges of each sort; the counts stay complete [default: 20, with --json 10000]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours; auto means on a terminal and without NO_COLOR')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Results as JSON, one object a line; failures as one JSON object on standard error')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print no results and no progress; only the exit code answers')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print no results and no progress; only the exit code answers')
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
            [CompletionResult]::new('--window', '--window', [CompletionResultType]::ParameterName, 'Commit windows: a list of auto, 0 and durations')
            [CompletionResult]::new('--sync', '--sync', [CompletionResultType]::ParameterName, 'Sync modes: a list of fdatasync, fsync, dsync, none and interval=SPAN')
            [CompletionResult]::new('--preallocate', '--preallocate', [CompletionResultType]::ParameterName, 'How space is reserved ahead: a list of none, sparse, fallocate and zero')
            [CompletionResult]::new('--direct', '--direct', [CompletionResultType]::ParameterName, 'Bypass the page cache: yes, or no,yes for both')
            [CompletionResult]::new('--buffered', '--buffered', [CompletionResultType]::ParameterName, 'Write everything through the page cache, as `append --buffered` does: yes, or no,yes for both')
            [CompletionResult]::new('--inflight', '--inflight', [CompletionResultType]::ParameterName, 'Records that each appender has in flight: a list [default: 1]')
            [CompletionResult]::new('--rate', '--rate', [CompletionResultType]::ParameterName, 'Appends a second, started on schedule even if the disk lags: a list [default: as fast as they are acknowledged]')
            [CompletionResult]::new('--duration', '--duration', [CompletionResultType]::ParameterName, 'How long each repeat is measured [default: 1s]')
            [CompletionResult]::new('--warmup', '--warmup', [CompletionResultType]::ParameterName, 'How long each repeat runs before it is measured [default: a fifth of the duration]')
            [CompletionResult]::new('--repeats', '--repeats', [CompletionResultType]::ParameterName, 'How many times each cell is measured [default: 5]')
            [CompletionResult]::new('--target', '--target', [CompletionResultType]::ParameterName, 'Find the highest rate at which a latency holds: ''p99<2ms''')
            [CompletionResult]::new('--show', '--show', [CompletionResultType]::ParameterName, 'Measure nothing: show a run that `bench --json` printed to this file')
            [CompletionResult]::new('--svg', '--svg', [CompletionResultType]::ParameterName, 'Also write the charts to this file')
            [CompletionResult]::new('--html', '--html', [CompletionResultType]::ParameterName, 'Also write a self-contained HTML page with everything to this file')
            [CompletionResult]::new('--baseline', '--baseline', [CompletionResultType]::ParameterName, 'Compare with an earlier run: a file with the output of `bench --json`')
            [CompletionResult]::new('--fail-if', '--fail-if', [CompletionResultType]::ParameterName, 'End with 7 if this holds: ''p99>+10%'' (needs --baseline), ''p99>2ms'', ''rate<10000''; repeat the flag for more rules')
            [CompletionResult]::new('--crash-test', '--crash-test', [CompletionResultType]::ParameterName, 'Kill an appender N times at random moments, and check that nothing it acknowledged is lost')
            [CompletionResult]::new('--crash-image', '--crash-image', [CompletionResultType]::ParameterName, 'For the crash test: mount this filesystem image and shut the filesystem down, as a power failure would (needs root)')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours; auto means on a terminal and without NO_COLOR')
            [CompletionResult]::new('--disk', '--disk', [CompletionResultType]::ParameterName, 'Measure the disk alone, without a log')
            [CompletionResult]::new('--csv', '--csv', [CompletionResultType]::ParameterName, 'Print the figures as CSV')
            [CompletionResult]::new('--markdown', '--markdown', [CompletionResultType]::ParameterName, 'Print the figures as a Markdown table')
            [CompletionResult]::new('--unlike', '--unlike', [CompletionResultType]::ParameterName, 'Allow a baseline from another kind of machine')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Results as JSON, one object a line; failures as one JSON object on standard error')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print no results and no progress; only the exit code answers')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print no results and no progress; only the exit code answers')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'walctl;explain' {
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours; auto means on a terminal and without NO_COLOR')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Results as JSON, one object a line; failures as one JSON object on standard error')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print no results and no progress; only the exit code answers')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print no results and no progress; only the exit code answers')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'walctl;completions' {
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours; auto means on a terminal and without NO_COLOR')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Results as JSON, one object a line; failures as one JSON object on standard error')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print no results and no progress; only the exit code answers')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print no results and no progress; only the exit code answers')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'walctl;man' {
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours; auto means on a terminal and without NO_COLOR')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Results as JSON, one object a line; failures as one JSON object on standard error')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print no results and no progress; only the exit code answers')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print no results and no progress; only the exit code answers')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'walctl;help' {
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours; auto means on a terminal and without NO_COLOR')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Results as JSON, one object a line; failures as one JSON object on standard error')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print no results and no progress; only the exit code answers')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print no results and no progress; only the exit code answers')
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

# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_walctl_global_optspecs
    string join \n json q/quiet color= h/help V/version
end

function __fish_walctl_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_walctl_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_walctl_using_subcommand
    set -l cmd (__fish_walctl_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c walctl -n "__fish_walctl_needs_command" -l color -d 'When to use colours; auto means on a terminal and without NO_COLOR' -r -f -a "auto\t'On a terminal and without NO_COLOR'
always\t'Also into files and pipes'
never\t'Nowhere'"
complete -c walctl -n "__fish_walctl_needs_command" -l json -d 'Results as JSON, one object a line; failures as one JSON object on standard error'
complete -c walctl -n "__fish_walctl_needs_command" -s q -l quiet -d 'Print no results and no progress; only the exit code answers'
complete -c walctl -n "__fish_walctl_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c walctl -n "__fish_walctl_needs_command" -s V -l version -d 'Print version'
complete -c walctl -n "__fish_walctl_needs_command" -f -a "dump" -d 'Show the records of logs, past any damage'
complete -c walctl -n "__fish_walctl_needs_command" -f -a "verify" -d 'Check logs; for each piece of damage, say what it means and what to do next'
complete -c walctl -n "__fish_walctl_needs_command" -f -a "repair" -d 'Cut torn tails after saving their bytes, or salvage what is valid'
complete -c walctl -n "__fish_walctl_needs_command" -f -a "append" -d 'Append records and print the LSN of each once it is durable'
complete -c walctl -n "__fish_walctl_needs_command" -f -a "rotate" -d 'Seal the active segment and begin the next one; remove old segments by rule'
complete -c walctl -n "__fish_walctl_needs_command" -f -a "stats" -d 'Count and measure what is in logs'
complete -c walctl -n "__fish_walctl_needs_command" -f -a "diff" -d 'Compare two logs record by record: where they part, what only one has, what differs'
complete -c walctl -n "__fish_walctl_needs_command" -f -a "browse" -d 'Look around in a log on a terminal: segments drawn, records, bytes, damage'
complete -c walctl -n "__fish_walctl_needs_command" -f -a "bench" -d 'Measure how fast records become durable, and how to tune it'
complete -c walctl -n "__fish_walctl_needs_command" -f -a "explain" -d 'Say what a word of the output or the help means: damage, verdicts, warnings, exit codes, terms, formats, JSON keys'
complete -c walctl -n "__fish_walctl_needs_command" -f -a "completions" -d 'Print the completions for a shell'
complete -c walctl -n "__fish_walctl_needs_command" -f -a "man" -d 'Show the manual page of walctl or of a command'
complete -c walctl -n "__fish_walctl_needs_command" -f -a "help" -d 'Show the help of walctl or of a command'
complete -c walctl -n "__fish_walctl_using_subcommand dump" -l format -d 'Format of the log; auto recognises it by content and name, list prints all formats' -r -f -a "auto\t''
list\t''
native\t''
ironwal\t''
nodedb\t''
rivven\t''
allsource\t''
rocksdb\t''
leveldb\t''
pebble\t''
postgres\t''
sqlite\t''
etcd\t''
prometheus\t''
kafka\t''
zookeeper\t''
nats\t''
jetstream\t''
nats-jetstream\t''
raft-engine\t''
tikv\t''
mysql\t''
mariadb\t''
redis\t''
valkey\t''"
complete -c walctl -n "__fish_walctl_using_subcommand dump" -l io -d 'How to read; auto maps finished segments into memory and reads the others' -r -f -a "auto\t'Finished segments through a mapping, the others with system calls'
map\t'Everything through a mapping where one can be had'
read\t'System calls only'"
complete -c walctl -n "__fish_walctl_using_subcommand dump" -l key-file -d 'A file with keys for encrypted payloads: 64 hex digits a line, oldest first; append encrypts with the last one' -r -F
complete -c walctl -n "__fish_walctl_using_subcommand dump" -l lsn -d 'Records with LSNs A..B, both included; also A.., ..B, N, negative numbers to count from the end: -100.., and positions: 0/D13C90..' -r
complete -c walctl -n "__fish_walctl_using_subcommand dump" -l since -d 'Records written at this time or later: 2026-01-02T03:04:05Z, a date, 03:04, today, yesterday, `10min ago` or -10min' -r
complete -c walctl -n "__fish_walctl_using_subcommand dump" -l until -d 'Records written at this time or earlier' -r
complete -c walctl -n "__fish_walctl_using_subcommand dump" -l kind -d 'Records of this kind: full, checkpoint, txn-begin, ... as the format names them; repeat the flag for more kinds' -r
complete -c walctl -n "__fish_walctl_using_subcommand dump" -l tag -d 'Records with this tag; repeat the flag for more tags' -r
complete -c walctl -n "__fish_walctl_using_subcommand dump" -l grep -d 'Records whose payload or decoded content matches this regular expression; (?i) in front ignores case' -r
complete -c walctl -n "__fish_walctl_using_subcommand dump" -s C -l context -d 'Also N records before and after each one that --grep finds' -r
complete -c walctl -n "__fish_walctl_using_subcommand dump" -s n -l limit -d 'At most the first N' -r
complete -c walctl -n "__fish_walctl_using_subcommand dump" -l tail -d 'Only the last N' -r
complete -c walctl -n "__fish_walctl_using_subcommand dump" -l cursor -d 'Continue after the last record of the previous run; FILE keeps the position' -r -F
complete -c walctl -n "__fish_walctl_using_subcommand dump" -l decode -d 'What records of other systems mean: on, or none to show payloads only' -r -f -a "on\t'Where the format\'s meaning is known'
none\t'Not at all'"
complete -c walctl -n "__fish_walctl_using_subcommand dump" -l payload -d 'How payloads are shown' -r -f -a "auto\t'Text where it is UTF-8, else hex (in JSON and CSV: base64)'
text\t'Text, with escapes for what is none'
hex\t'Hex digits'
base64\t'Base64'
json\t'JSON documents without needless blanks; text where it is none'
len\t'Only its length'"
complete -c walctl -n "__fish_walctl_using_subcommand dump" -l delimiter -d 'Separator between raw payloads' -r -f -a "lf\t'A line feed after each'
nul\t'A zero byte after each'
len32\t'Its length before each: four bytes, little-endian'"
complete -c walctl -n "__fish_walctl_using_subcommand dump" -s j -l jobs -d 'How many threads read segments and make lines [default: one for each processor]' -r
complete -c walctl -n "__fish_walctl_using_subcommand dump" -l max-rate -d 'Read no faster than this, to leave the disk to the service: 100MiB/s' -r
complete -c walctl -n "__fish_walctl_using_subcommand dump" -l out-dir -d 'Write each payload into a file of its own in this folder, named by its LSN' -r -f -a "(__fish_complete_directories)"
complete -c walctl -n "__fish_walctl_using_subcommand dump" -l color -d 'When to use colours; auto means on a terminal and without NO_COLOR' -r -f -a "auto\t'On a terminal and without NO_COLOR'
always\t'Also into files and pipes'
never\t'Nowhere'"
complete -c walctl -n "__fish_walctl_using_subcommand dump" -l local -d 'Times of --since and --until without an offset, and those of dump\'s table, are of this machine\'s zone and not UTC'
complete -c walctl -n "__fish_walctl_using_subcommand dump" -l reverse -d 'From the end of the log to its start'
complete -c walctl -n "__fish_walctl_using_subcommand dump" -l fail-empty -d 'End with code 7 if no record is shown'
complete -c walctl -n "__fish_walctl_using_subcommand dump" -s f -l follow -d 'At the end, wait for more records, across segments, until interrupted'
complete -c walctl -n "__fish_walctl_using_subcommand dump" -l show-values -d 'Show the values in decoded records; without it they are shown by length and keyed hash'
complete -c walctl -n "__fish_walctl_using_subcommand dump" -l redact -d 'Length and keyed hash instead of content, safe for a ticket; equal contents have equal hashes within one run'
complete -c walctl -n "__fish_walctl_using_subcommand dump" -l frames -d 'Show each frame on disk by itself, also fragments, padding and control frames (--hex shows their bytes); + marks the first frame of what one sync made durable'
complete -c walctl -n "__fish_walctl_using_subcommand dump" -l hex -d 'Bytes of each frame with its fields drawn over them (implies --frames)'
complete -c walctl -n "__fish_walctl_using_subcommand dump" -l csv -d 'Comma-separated values with a header line'
complete -c walctl -n "__fish_walctl_using_subcommand dump" -l raw -d 'Payloads only, as they are'
complete -c walctl -n "__fish_walctl_using_subcommand dump" -l json -d 'Results as JSON, one object a line; failures as one JSON object on standard error'
complete -c walctl -n "__fish_walctl_using_subcommand dump" -s q -l quiet -d 'Print no results and no progress; only the exit code answers'
complete -c walctl -n "__fish_walctl_using_subcommand dump" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c walctl -n "__fish_walctl_using_subcommand dump" -s V -l version -d 'Print version'
complete -c walctl -n "__fish_walctl_using_subcommand verify" -l format -d 'Format of the log; auto recognises it by content and name, list prints all formats' -r -f -a "auto\t''
list\t''
native\t''
ironwal\t''
nodedb\t''
rivven\t''
allsource\t''
rocksdb\t''
leveldb\t''
pebble\t''
postgres\t''
sqlite\t''
etcd\t''
prometheus\t''
kafka\t''
zookeeper\t''
nats\t''
jetstream\t''
nats-jetstream\t''
raft-engine\t''
tikv\t''
mysql\t''
mariadb\t''
redis\t''
valkey\t''"
complete -c walctl -n "__fish_walctl_using_subcommand verify" -l io -d 'How to read; auto maps finished segments into memory and reads the others' -r -f -a "auto\t'Finished segments through a mapping, the others with system calls'
map\t'Everything through a mapping where one can be had'
read\t'System calls only'"
complete -c walctl -n "__fish_walctl_using_subcommand verify" -l key-file -d 'A file with keys for encrypted payloads: 64 hex digits a line, oldest first; append encrypts with the last one' -r -F
complete -c walctl -n "__fish_walctl_using_subcommand verify" -l lsn -d 'Records with LSNs A..B, both included; also A.., ..B, N, negative numbers to count from the end: -100.., and positions: 0/D13C90..' -r
complete -c walctl -n "__fish_walctl_using_subcommand verify" -l since -d 'Records written at this time or later: 2026-01-02T03:04:05Z, a date, 03:04, today, yesterday, `10min ago` or -10min' -r
complete -c walctl -n "__fish_walctl_using_subcommand verify" -l until -d 'Records written at this time or earlier' -r
complete -c walctl -n "__fish_walctl_using_subcommand verify" -s j -l jobs -d 'How many segments to read at once [default: one for each processor, in object storage 8 at least]' -r
complete -c walctl -n "__fish_walctl_using_subcommand verify" -l max-rate -d 'Read no faster than this, to leave the disk to the service: 100MiB/s' -r
complete -c walctl -n "__fish_walctl_using_subcommand verify" -l ledger -d 'Compare with a ledger that append wrote: list acknowledged records that the log lacks, and end with 7 if there are any' -r -F
complete -c walctl -n "__fish_walctl_using_subcommand verify" -l host -d 'Give each metric the label host with this value' -r
complete -c walctl -n "__fish_walctl_using_subcommand verify" -l seen -d 'Keep what is found in FILE, a line for each segment, and do not read again what has not changed since' -r -F
complete -c walctl -n "__fish_walctl_using_subcommand verify" -l seen-for -d 'Read a segment again when it was read longer ago than this' -r
complete -c walctl -n "__fish_walctl_using_subcommand verify" -l part -d 'Read only part K of N, keep what is found in the file, judge nothing, and end with 0 or 1: for many machines at once' -r
complete -c walctl -n "__fish_walctl_using_subcommand verify" -l max-bytes -d 'Read no more than this in one run (the active segment aside); the next run goes on. Until all is read, nothing is judged' -r
complete -c walctl -n "__fish_walctl_using_subcommand verify" -l sample -d 'Read this part of the segments, chosen by dice, and of the others only header and Seal; 5% or 0.1%' -r
complete -c walctl -n "__fish_walctl_using_subcommand verify" -l seed -d 'Choose the same segments as the run that printed this seed' -r
complete -c walctl -n "__fish_walctl_using_subcommand verify" -l accept -d 'Report the damage that FILE lists as accepted, and let it not decide the exit code' -r -F
complete -c walctl -n "__fish_walctl_using_subcommand verify" -l accept-new -d 'Add all damage of the logs to the FILE of --accept, for this reason. Never part of a job that runs by itself' -r
complete -c walctl -n "__fish_walctl_using_subcommand verify" -l html -d 'Also write a report for those who were not there: one HTML page that needs nothing else' -r -F
complete -c walctl -n "__fish_walctl_using_subcommand verify" -l markdown -d 'The same as Markdown' -r -F
complete -c walctl -n "__fish_walctl_using_subcommand verify" -l color -d 'When to use colours; auto means on a terminal and without NO_COLOR' -r -f -a "auto\t'On a terminal and without NO_COLOR'
always\t'Also into files and pipes'
never\t'Nowhere'"
complete -c walctl -n "__fish_walctl_using_subcommand verify" -l media -d 'Also read with the page cache bypassed, and report where the disk holds other bytes than the cache'
complete -c walctl -n "__fish_walctl_using_subcommand verify" -l deep -d 'Also decrypt, decompress, and look for open transactions and orphaned fragments. An encrypted log needs its keys for this'
complete -c walctl -n "__fish_walctl_using_subcommand verify" -l map -d 'Draw each segment as one line: frames, padding, reserved zeros, damage'
complete -c walctl -n "__fish_walctl_using_subcommand verify" -l openmetrics -d 'Print OpenMetrics text on all logs together, for scrapers and node_exporter\'s textfile collector'
complete -c walctl -n "__fish_walctl_using_subcommand verify" -s b -l brief -d 'One line for each piece of damage, and one for a clean log'
complete -c walctl -n "__fish_walctl_using_subcommand verify" -l ends -d 'Read only the header and the Seal of each segment: finds gaps, forks, strangers and wrong names in a moment, and calls nothing clean'
complete -c walctl -n "__fish_walctl_using_subcommand verify" -l show-payloads -d 'Show bytes in the report that may be content'
complete -c walctl -n "__fish_walctl_using_subcommand verify" -l overwrite -d 'Write the report over a file that is none'
complete -c walctl -n "__fish_walctl_using_subcommand verify" -l local -d 'Times of --since and --until without an offset, and those of dump\'s table, are of this machine\'s zone and not UTC'
complete -c walctl -n "__fish_walctl_using_subcommand verify" -l json -d 'Results as JSON, one object a line; failures as one JSON object on standard error'
complete -c walctl -n "__fish_walctl_using_subcommand verify" -s q -l quiet -d 'Print no results and no progress; only the exit code answers'
complete -c walctl -n "__fish_walctl_using_subcommand verify" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c walctl -n "__fish_walctl_using_subcommand verify" -s V -l version -d 'Print version'
complete -c walctl -n "__fish_walctl_using_subcommand repair" -l format -d 'Format of the log; auto recognises it by content and name, list prints all formats' -r -f -a "auto\t''
list\t''
native\t''
ironwal\t''
nodedb\t''
rivven\t''
allsource\t''
rocksdb\t''
leveldb\t''
pebble\t''
postgres\t''
sqlite\t''
etcd\t''
prometheus\t''
kafka\t''
zookeeper\t''
nats\t''
jetstream\t''
nats-jetstream\t''
raft-engine\t''
tikv\t''
mysql\t''
mariadb\t''
redis\t''
valkey\t''"
complete -c walctl -n "__fish_walctl_using_subcommand repair" -l io -d 'How to read; auto maps finished segments into memory and reads the others' -r -f -a "auto\t'Finished segments through a mapping, the others with system calls'
map\t'Everything through a mapping where one can be had'
read\t'System calls only'"
complete -c walctl -n "__fish_walctl_using_subcommand repair" -l key-file -d 'A file with keys for encrypted payloads: 64 hex digits a line, oldest first; append encrypts with the last one' -r -F
complete -c walctl -n "__fish_walctl_using_subcommand repair" -l lsn -d 'Records with LSNs A..B, both included; also A.., ..B, N, negative numbers to count from the end: -100.., and positions: 0/D13C90..' -r
complete -c walctl -n "__fish_walctl_using_subcommand repair" -l since -d 'Records written at this time or later: 2026-01-02T03:04:05Z, a date, 03:04, today, yesterday, `10min ago` or -10min' -r
complete -c walctl -n "__fish_walctl_using_subcommand repair" -l until -d 'Records written at this time or earlier' -r
complete -c walctl -n "__fish_walctl_using_subcommand repair" -s j -l jobs -d 'How many segments to read at once [default: one for each processor, in object storage 8 at least]' -r
complete -c walctl -n "__fish_walctl_using_subcommand repair" -l max-rate -d 'Read no faster than this, to leave the disk to the service: 100MiB/s' -r
complete -c walctl -n "__fish_walctl_using_subcommand repair" -l max-cut -d 'Refuse to cut more than this from a segment' -r
complete -c walctl -n "__fish_walctl_using_subcommand repair" -l at -d 'Cut everything after this LSN, on purpose; the removed LSNs are assigned again' -r
complete -c walctl -n "__fish_walctl_using_subcommand repair" -l accept-hole -d 'Accept that these records are gone for good (41..60): write a known hole, which verify reports and calls clean' -r
complete -c walctl -n "__fish_walctl_using_subcommand repair" -l salvage -d 'Copy everything valid into a new log in this folder; the old log is not changed' -r -f -a "(__fish_complete_directories)"
complete -c walctl -n "__fish_walctl_using_subcommand repair" -l color -d 'When to use colours; auto means on a terminal and without NO_COLOR' -r -f -a "auto\t'On a terminal and without NO_COLOR'
always\t'Also into files and pipes'
never\t'Nowhere'"
complete -c walctl -n "__fish_walctl_using_subcommand repair" -l local -d 'Times of --since and --until without an offset, and those of dump\'s table, are of this machine\'s zone and not UTC'
complete -c walctl -n "__fish_walctl_using_subcommand repair" -l dry-run -d 'Print the plan and change nothing'
complete -c walctl -n "__fish_walctl_using_subcommand repair" -l accept-suspect -d 'Also cut a tail that may be torn or rotten: nothing in the log can decide which'
complete -c walctl -n "__fish_walctl_using_subcommand repair" -l accept-running -d 'Mend another system\'s log although a process has it open or locked'
complete -c walctl -n "__fish_walctl_using_subcommand repair" -l yes -d 'Confirm --at or --accept-hole; nothing else asks'
complete -c walctl -n "__fish_walctl_using_subcommand repair" -l from-dwb -d 'Restore a torn end from nodedb\'s double-write file, and cut only what that file does not hold'
complete -c walctl -n "__fish_walctl_using_subcommand repair" -l undo -d 'Put back the cuts of the newest repair, unless something was written behind them since'
complete -c walctl -n "__fish_walctl_using_subcommand repair" -l json -d 'Results as JSON, one object a line; failures as one JSON object on standard error'
complete -c walctl -n "__fish_walctl_using_subcommand repair" -s q -l quiet -d 'Print no results and no progress; only the exit code answers'
complete -c walctl -n "__fish_walctl_using_subcommand repair" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c walctl -n "__fish_walctl_using_subcommand repair" -s V -l version -d 'Print version'
complete -c walctl -n "__fish_walctl_using_subcommand append" -l delimiter -d 'How records are separated on standard input [default: lf]' -r -f -a "lf\t'A record a line'
nul\t'A zero byte after each record'
len32\t'In front of each record its length: four bytes, the lowest first'"
complete -c walctl -n "__fish_walctl_using_subcommand append" -l text -d 'Append a record with this text; repeat the flag for more records' -r
complete -c walctl -n "__fish_walctl_using_subcommand append" -l file -d 'Append the content of this file as one record; repeat the flag for more records' -r -F
complete -c walctl -n "__fish_walctl_using_subcommand append" -l count -d 'Append N made-up records' -r
complete -c walctl -n "__fish_walctl_using_subcommand append" -l size -d 'Length of made-up records' -r
complete -c walctl -n "__fish_walctl_using_subcommand append" -l rate -d 'Append at most N records a second' -r
complete -c walctl -n "__fish_walctl_using_subcommand append" -l kind -d 'Kind of the records: full, checkpoint, txn-begin, txn-commit or txn-abort [default: full]' -r
complete -c walctl -n "__fish_walctl_using_subcommand append" -l tag -d 'Tag of the records, a number of your own; in a checkpoint, the LSN up to which state is safe elsewhere [default: 0]' -r
complete -c walctl -n "__fish_walctl_using_subcommand append" -l batch -d 'Make every N records (or all of them) one atomic batch: a crash keeps all of a batch or nothing of it' -r
complete -c walctl -n "__fish_walctl_using_subcommand append" -l ledger -d 'Also write each acknowledged LSN and a digest of its payload to this file: a line is durable before its LSN is printed. After a crash it may lack records that are durable and whose LSNs were not printed yet, and no others' -r -F
complete -c walctl -n "__fish_walctl_using_subcommand append" -l preset -d 'A named set of options; options given explicitly override it. Prints what it sets' -r -f -a "durable\t''
lowest-latency\t''
largest-groups\t''
past-the-cache\t''
may-lose-10ms\t''"
complete -c walctl -n "__fish_walctl_using_subcommand append" -l sync -d 'What makes a group durable: fdatasync, fsync, dsync, none or interval=SPAN [default: fdatasync]' -r
complete -c walctl -n "__fish_walctl_using_subcommand append" -l window -d 'Commit window, how long a group waits for more records: auto, 0, or a duration from its first record on [default: auto]' -r
complete -c walctl -n "__fish_walctl_using_subcommand append" -l preallocate -d 'How space is reserved ahead of the data: none, sparse, fallocate, zero, or recycle: files of segments that retention lets go are written over, so each byte goes to the disk once [default: zero]' -r
complete -c walctl -n "__fish_walctl_using_subcommand append" -l segment-bytes -d 'Seal a segment before it grows beyond this size [default: 64MiB]' -r
complete -c walctl -n "__fish_walctl_using_subcommand append" -l segment-records -d 'Seal a segment when it holds N records' -r
complete -c walctl -n "__fish_walctl_using_subcommand append" -l segment-age -d 'Seal a segment when its first record is this old, even if no more records come' -r
complete -c walctl -n "__fish_walctl_using_subcommand append" -l group-bytes -d 'Largest group, in bytes [default: 4MiB]' -r
complete -c walctl -n "__fish_walctl_using_subcommand append" -l group-records -d 'Largest group, in records [default: 65536]' -r
complete -c walctl -n "__fish_walctl_using_subcommand append" -l queue-bytes -d 'Make callers wait while more bytes than this are queued or being written [default: 16MiB]' -r
complete -c walctl -n "__fish_walctl_using_subcommand append" -l frame-limit -d 'Split payloads longer than this into fragments [default: 1MiB]' -r
complete -c walctl -n "__fish_walctl_using_subcommand append" -l compress -d 'Compress payloads' -r -f -a "lz4\t'Fast, in both directions'
none\t'Not at all'"
complete -c walctl -n "__fish_walctl_using_subcommand append" -l compress-min -d 'Do not compress payloads shorter than this' -r
complete -c walctl -n "__fish_walctl_using_subcommand append" -l keep-segments -d 'While writing, remove old segments, but keep the N newest, including the active one. With several of these flags, a segment stays if any of them keeps it; what reaches above the newest checkpoint, holds the beginning of an open transaction, or was not read by a --pin or a kept pin always stays' -r
complete -c walctl -n "__fish_walctl_using_subcommand append" -l keep-bytes -d 'While writing, remove old segments, but keep the newest ones up to this size in total' -r
complete -c walctl -n "__fish_walctl_using_subcommand append" -l keep-for -d 'While writing, remove old segments, but keep those that hold a record not older than this' -r
complete -c walctl -n "__fish_walctl_using_subcommand append" -l pin -d 'Keep what a reader has not read yet: FILE is its `dump --cursor` file, read again each time; repeat the flag for more readers' -r -F
complete -c walctl -n "__fish_walctl_using_subcommand append" -l key-file -d 'A file with keys for encrypted payloads: 64 hex digits a line, oldest first; append encrypts with the last one' -r -F
complete -c walctl -n "__fish_walctl_using_subcommand append" -l color -d 'When to use colours; auto means on a terminal and without NO_COLOR' -r -f -a "auto\t'On a terminal and without NO_COLOR'
always\t'Also into files and pipes'
never\t'Nowhere'"
complete -c walctl -n "__fish_walctl_using_subcommand append" -l keep-lsn -d 'Keep the LSNs of the JSON lines, with --json: `walctl dump A --json | walctl append B --json --keep-lsn`; a gap is refused'
complete -c walctl -n "__fish_walctl_using_subcommand append" -l repair -d 'Cut a torn tail first, as `walctl repair` does'
complete -c walctl -n "__fish_walctl_using_subcommand append" -l direct -d 'Bypass the page cache (O_DIRECT), in whole blocks; no block is written twice'
complete -c walctl -n "__fish_walctl_using_subcommand append" -l buffered -d 'Write everything through the page cache. By default groups bypass it wherever zero-filled space is ready for them, so that a process that follows the log on this machine reads them from the disk'
complete -c walctl -n "__fish_walctl_using_subcommand append" -l new-key -d 'Begin a new key: encrypt with the last key of the key file, although the log\'s newest key is not in it. To read the older records too, use a key file that holds both'
complete -c walctl -n "__fish_walctl_using_subcommand append" -l json -d 'Results as JSON, one object a line; failures as one JSON object on standard error'
complete -c walctl -n "__fish_walctl_using_subcommand append" -s q -l quiet -d 'Print no results and no progress; only the exit code answers'
complete -c walctl -n "__fish_walctl_using_subcommand append" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c walctl -n "__fish_walctl_using_subcommand append" -s V -l version -d 'Print version'
complete -c walctl -n "__fish_walctl_using_subcommand rotate" -l checkpoint -d 'Write a checkpoint first: state up to this LSN is safe elsewhere' -r
complete -c walctl -n "__fish_walctl_using_subcommand rotate" -l keep-segments -d 'Keep the N newest segments, including the active one' -r
complete -c walctl -n "__fish_walctl_using_subcommand rotate" -l keep-bytes -d 'Keep the newest segments, up to this size in total' -r
complete -c walctl -n "__fish_walctl_using_subcommand rotate" -l keep-for -d 'Keep segments that hold a record not older than this' -r
complete -c walctl -n "__fish_walctl_using_subcommand rotate" -l pin -d 'Keep what a reader has not read yet: FILE is its `dump --cursor` file; repeat the flag for more readers' -r -F
complete -c walctl -n "__fish_walctl_using_subcommand rotate" -l archive -d 'Copy segments into this folder, or to s3://, gs:// or az:// (feature bucket), before they are removed; each copy is read back and compared' -r -f -a "(__fish_complete_directories)"
complete -c walctl -n "__fish_walctl_using_subcommand rotate" -l key-file -d 'A file with keys for encrypted payloads: 64 hex digits a line, oldest first; append encrypts with the last one' -r -F
complete -c walctl -n "__fish_walctl_using_subcommand rotate" -l color -d 'When to use colours; auto means on a terminal and without NO_COLOR' -r -f -a "auto\t'On a terminal and without NO_COLOR'
always\t'Also into files and pipes'
never\t'Nowhere'"
complete -c walctl -n "__fish_walctl_using_subcommand rotate" -l prune -d 'Remove segments that lie below the newest checkpoint, and nothing else'
complete -c walctl -n "__fish_walctl_using_subcommand rotate" -l accept-pinned -d 'Remove segments even if a checkpoint, a transaction or a pin keeps them'
complete -c walctl -n "__fish_walctl_using_subcommand rotate" -l dry-run -d 'Change nothing; print the names of the segments that would be removed, one a line'
complete -c walctl -n "__fish_walctl_using_subcommand rotate" -l json -d 'Results as JSON, one object a line; failures as one JSON object on standard error'
complete -c walctl -n "__fish_walctl_using_subcommand rotate" -s q -l quiet -d 'Print no results and no progress; only the exit code answers'
complete -c walctl -n "__fish_walctl_using_subcommand rotate" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c walctl -n "__fish_walctl_using_subcommand rotate" -s V -l version -d 'Print version'
complete -c walctl -n "__fish_walctl_using_subcommand stats" -l format -d 'Format of the log; auto recognises it by content and name, list prints all formats' -r -f -a "auto\t''
list\t''
native\t''
ironwal\t''
nodedb\t''
rivven\t''
allsource\t''
rocksdb\t''
leveldb\t''
pebble\t''
postgres\t''
sqlite\t''
etcd\t''
prometheus\t''
kafka\t''
zookeeper\t''
nats\t''
jetstream\t''
nats-jetstream\t''
raft-engine\t''
tikv\t''
mysql\t''
mariadb\t''
redis\t''
valkey\t''"
complete -c walctl -n "__fish_walctl_using_subcommand stats" -l io -d 'How to read; auto maps finished segments into memory and reads the others' -r -f -a "auto\t'Finished segments through a mapping, the others with system calls'
map\t'Everything through a mapping where one can be had'
read\t'System calls only'"
complete -c walctl -n "__fish_walctl_using_subcommand stats" -l key-file -d 'A file with keys for encrypted payloads: 64 hex digits a line, oldest first; append encrypts with the last one' -r -F
complete -c walctl -n "__fish_walctl_using_subcommand stats" -l lsn -d 'Records with LSNs A..B, both included; also A.., ..B, N, negative numbers to count from the end: -100.., and positions: 0/D13C90..' -r
complete -c walctl -n "__fish_walctl_using_subcommand stats" -l since -d 'Records written at this time or later: 2026-01-02T03:04:05Z, a date, 03:04, today, yesterday, `10min ago` or -10min' -r
complete -c walctl -n "__fish_walctl_using_subcommand stats" -l until -d 'Records written at this time or earlier' -r
complete -c walctl -n "__fish_walctl_using_subcommand stats" -l max-rate -d 'Read no faster than this, to leave the disk to the service: 100MiB/s' -r
complete -c walctl -n "__fish_walctl_using_subcommand stats" -l top -d 'Show N tags and the N newest segments; 0 shows all' -r
complete -c walctl -n "__fish_walctl_using_subcommand stats" -l host -d 'Give each metric the label host with this value' -r
complete -c walctl -n "__fish_walctl_using_subcommand stats" -l fail-if -d 'End with 7 if this holds for a log, as in replay_seconds>30s; repeat the flag for more rules' -r
complete -c walctl -n "__fish_walctl_using_subcommand stats" -l watch -d 'Count again after this time, until interrupted' -r
complete -c walctl -n "__fish_walctl_using_subcommand stats" -s j -l jobs -d 'How many segments to read at once [default: one for each processor, in object storage 8 at least]; where records are broken down by what they hold, as in logs of most other systems, one thread reads them all' -r
complete -c walctl -n "__fish_walctl_using_subcommand stats" -l color -d 'When to use colours; auto means on a terminal and without NO_COLOR' -r -f -a "auto\t'On a terminal and without NO_COLOR'
always\t'Also into files and pipes'
never\t'Nowhere'"
complete -c walctl -n "__fish_walctl_using_subcommand stats" -l local -d 'Times of --since and --until without an offset, and those of dump\'s table, are of this machine\'s zone and not UTC'
complete -c walctl -n "__fish_walctl_using_subcommand stats" -l scan -d 'Read every segment instead of trusting Seals: only then can the verdict be clean'
complete -c walctl -n "__fish_walctl_using_subcommand stats" -l openmetrics -d 'Print OpenMetrics text, for scrapers'
complete -c walctl -n "__fish_walctl_using_subcommand stats" -l json -d 'Results as JSON, one object a line; failures as one JSON object on standard error'
complete -c walctl -n "__fish_walctl_using_subcommand stats" -s q -l quiet -d 'Print no results and no progress; only the exit code answers'
complete -c walctl -n "__fish_walctl_using_subcommand stats" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c walctl -n "__fish_walctl_using_subcommand stats" -s V -l version -d 'Print version'
complete -c walctl -n "__fish_walctl_using_subcommand diff" -l format -d 'Format of the log; auto recognises it by content and name, list prints all formats' -r -f -a "auto\t''
list\t''
native\t''
ironwal\t''
nodedb\t''
rivven\t''
allsource\t''
rocksdb\t''
leveldb\t''
pebble\t''
postgres\t''
sqlite\t''
etcd\t''
prometheus\t''
kafka\t''
zookeeper\t''
nats\t''
jetstream\t''
nats-jetstream\t''
raft-engine\t''
tikv\t''
mysql\t''
mariadb\t''
redis\t''
valkey\t''"
complete -c walctl -n "__fish_walctl_using_subcommand diff" -l io -d 'How to read; auto maps finished segments into memory and reads the others' -r -f -a "auto\t'Finished segments through a mapping, the others with system calls'
map\t'Everything through a mapping where one can be had'
read\t'System calls only'"
complete -c walctl -n "__fish_walctl_using_subcommand diff" -l key-file -d 'A file with keys for encrypted payloads: 64 hex digits a line, oldest first; append encrypts with the last one' -r -F
complete -c walctl -n "__fish_walctl_using_subcommand diff" -l lsn -d 'Compare only records with LSNs A..B, both included; A.. and ..B are open at one end' -r
complete -c walctl -n "__fish_walctl_using_subcommand diff" -l max-rate -d 'Read no faster than this, to leave the disk to the service: 100MiB/s' -r
complete -c walctl -n "__fish_walctl_using_subcommand diff" -s n -l limit -d 'List at most N ranges of each sort; the counts stay complete [default: 20, with --json 10000]' -r
complete -c walctl -n "__fish_walctl_using_subcommand diff" -l color -d 'When to use colours; auto means on a terminal and without NO_COLOR' -r -f -a "auto\t'On a terminal and without NO_COLOR'
always\t'Also into files and pipes'
never\t'Nowhere'"
complete -c walctl -n "__fish_walctl_using_subcommand diff" -l json -d 'Results as JSON, one object a line; failures as one JSON object on standard error'
complete -c walctl -n "__fish_walctl_using_subcommand diff" -s q -l quiet -d 'Print no results and no progress; only the exit code answers'
complete -c walctl -n "__fish_walctl_using_subcommand diff" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c walctl -n "__fish_walctl_using_subcommand diff" -s V -l version -d 'Print version'
complete -c walctl -n "__fish_walctl_using_subcommand browse" -l format -d 'Format of the log; auto recognises it by content and name, list prints all formats' -r -f -a "auto\t''
list\t''
native\t''
ironwal\t''
nodedb\t''
rivven\t''
allsource\t''
rocksdb\t''
leveldb\t''
pebble\t''
postgres\t''
sqlite\t''
etcd\t''
prometheus\t''
kafka\t''
zookeeper\t''
nats\t''
jetstream\t''
nats-jetstream\t''
raft-engine\t''
tikv\t''
mysql\t''
mariadb\t''
redis\t''
valkey\t''"
complete -c walctl -n "__fish_walctl_using_subcommand browse" -l io -d 'How to read; auto maps finished segments into memory and reads the others' -r -f -a "auto\t'Finished segments through a mapping, the others with system calls'
map\t'Everything through a mapping where one can be had'
read\t'System calls only'"
complete -c walctl -n "__fish_walctl_using_subcommand browse" -l key-file -d 'A file with keys for encrypted payloads: 64 hex digits a line, oldest first; append encrypts with the last one' -r -F
complete -c walctl -n "__fish_walctl_using_subcommand browse" -s j -l jobs -d 'How many segments to read at once [default: one for each processor, in object storage 8 at least]' -r
complete -c walctl -n "__fish_walctl_using_subcommand browse" -l max-rate -d 'Read no faster than this, to leave the disk to the service: 100MiB/s' -r
complete -c walctl -n "__fish_walctl_using_subcommand browse" -l color -d 'When to use colours; auto means on a terminal and without NO_COLOR' -r -f -a "auto\t'On a terminal and without NO_COLOR'
always\t'Also into files and pipes'
never\t'Nowhere'"
complete -c walctl -n "__fish_walctl_using_subcommand browse" -l show-values -d 'Show values that may be secret; without it they are shown by length and keyed hash, and their bytes are hidden'
complete -c walctl -n "__fish_walctl_using_subcommand browse" -l json -d 'Results as JSON, one object a line; failures as one JSON object on standard error'
complete -c walctl -n "__fish_walctl_using_subcommand browse" -s q -l quiet -d 'Print no results and no progress; only the exit code answers'
complete -c walctl -n "__fish_walctl_using_subcommand browse" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c walctl -n "__fish_walctl_using_subcommand browse" -s V -l version -d 'Print version'
complete -c walctl -n "__fish_walctl_using_subcommand bench" -l appenders -d 'Threads that append: a list [default: 1,16,64]' -r
complete -c walctl -n "__fish_walctl_using_subcommand bench" -l size -d 'Lengths of records: a list [default: 128]' -r
complete -c walctl -n "__fish_walctl_using_subcommand bench" -l size-dist -d 'Lengths of records with weights: 128:90,4KiB:10' -r
complete -c walctl -n "__fish_walctl_using_subcommand bench" -l from -d 'Append the payloads of this log' -r -F
complete -c walctl -n "__fish_walctl_using_subcommand bench" -l window -d 'Commit windows: a list of auto, 0 and durations' -r
complete -c walctl -n "__fish_walctl_using_subcommand bench" -l sync -d 'Sync modes: a list of fdatasync, fsync, dsync, none and interval=SPAN' -r
complete -c walctl -n "__fish_walctl_using_subcommand bench" -l preallocate -d 'How space is reserved ahead: a list of none, sparse, fallocate, zero and recycle' -r
complete -c walctl -n "__fish_walctl_using_subcommand bench" -l direct -d 'Bypass the page cache: --direct for yes, --direct=no,yes for both' -r
complete -c walctl -n "__fish_walctl_using_subcommand bench" -l buffered -d 'Write everything through the page cache, as `append --buffered` does: --buffered for yes, --buffered=no,yes for both' -r
complete -c walctl -n "__fish_walctl_using_subcommand bench" -l inflight -d 'Records that each appender has in flight: a list [default: 1]' -r
complete -c walctl -n "__fish_walctl_using_subcommand bench" -l rate -d 'Appends a second, started on schedule even if the disk lags: a list [default: as fast as they are acknowledged]' -r
complete -c walctl -n "__fish_walctl_using_subcommand bench" -l duration -d 'How long each repeat is measured [default: 1s]' -r
complete -c walctl -n "__fish_walctl_using_subcommand bench" -l warmup -d 'How long each repeat runs before it is measured [default: a fifth of the duration]' -r
complete -c walctl -n "__fish_walctl_using_subcommand bench" -l repeats -d 'How many times each cell is measured [default: 5]' -r
complete -c walctl -n "__fish_walctl_using_subcommand bench" -l target -d 'Find the highest rate at which a latency holds: \'p99<2ms\'' -r
complete -c walctl -n "__fish_walctl_using_subcommand bench" -l show -d 'Measure nothing: show a run that `bench --json` printed to this file' -r -F
complete -c walctl -n "__fish_walctl_using_subcommand bench" -l svg -d 'Also write the charts to this file' -r -F
complete -c walctl -n "__fish_walctl_using_subcommand bench" -l html -d 'Also write a self-contained HTML page with everything to this file' -r -F
complete -c walctl -n "__fish_walctl_using_subcommand bench" -l baseline -d 'Compare with an earlier run: a file with the output of `bench --json`' -r -F
complete -c walctl -n "__fish_walctl_using_subcommand bench" -l fail-if -d 'End with 7 if this holds: \'p99>+10%\' (needs --baseline), \'p99>2ms\', \'rate<10000\'; repeat the flag for more rules' -r
complete -c walctl -n "__fish_walctl_using_subcommand bench" -l crash-test -d 'Kill an appender N times at random moments, and check that nothing it acknowledged is lost' -r
complete -c walctl -n "__fish_walctl_using_subcommand bench" -l crash-image -d 'For the crash test: mount this filesystem image and shut the filesystem down, as a power failure would (needs root)' -r -F
complete -c walctl -n "__fish_walctl_using_subcommand bench" -l color -d 'When to use colours; auto means on a terminal and without NO_COLOR' -r -f -a "auto\t'On a terminal and without NO_COLOR'
always\t'Also into files and pipes'
never\t'Nowhere'"
complete -c walctl -n "__fish_walctl_using_subcommand bench" -l disk -d 'Measure the disk alone, without a log'
complete -c walctl -n "__fish_walctl_using_subcommand bench" -l csv -d 'Print the figures as CSV'
complete -c walctl -n "__fish_walctl_using_subcommand bench" -l markdown -d 'Print the figures as a Markdown table'
complete -c walctl -n "__fish_walctl_using_subcommand bench" -l overwrite -d 'Write the page or the charts over a file that is none of walctl\'s'
complete -c walctl -n "__fish_walctl_using_subcommand bench" -l unlike -d 'Allow a baseline from another kind of machine'
complete -c walctl -n "__fish_walctl_using_subcommand bench" -l json -d 'Results as JSON, one object a line; failures as one JSON object on standard error'
complete -c walctl -n "__fish_walctl_using_subcommand bench" -s q -l quiet -d 'Print no results and no progress; only the exit code answers'
complete -c walctl -n "__fish_walctl_using_subcommand bench" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c walctl -n "__fish_walctl_using_subcommand bench" -s V -l version -d 'Print version'
complete -c walctl -n "__fish_walctl_using_subcommand explain" -l color -d 'When to use colours; auto means on a terminal and without NO_COLOR' -r -f -a "auto\t'On a terminal and without NO_COLOR'
always\t'Also into files and pipes'
never\t'Nowhere'"
complete -c walctl -n "__fish_walctl_using_subcommand explain" -l json -d 'Results as JSON, one object a line; failures as one JSON object on standard error'
complete -c walctl -n "__fish_walctl_using_subcommand explain" -s q -l quiet -d 'Print no results and no progress; only the exit code answers'
complete -c walctl -n "__fish_walctl_using_subcommand explain" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c walctl -n "__fish_walctl_using_subcommand explain" -s V -l version -d 'Print version'
complete -c walctl -n "__fish_walctl_using_subcommand completions" -l color -d 'When to use colours; auto means on a terminal and without NO_COLOR' -r -f -a "auto\t'On a terminal and without NO_COLOR'
always\t'Also into files and pipes'
never\t'Nowhere'"
complete -c walctl -n "__fish_walctl_using_subcommand completions" -l json -d 'Results as JSON, one object a line; failures as one JSON object on standard error'
complete -c walctl -n "__fish_walctl_using_subcommand completions" -s q -l quiet -d 'Print no results and no progress; only the exit code answers'
complete -c walctl -n "__fish_walctl_using_subcommand completions" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c walctl -n "__fish_walctl_using_subcommand completions" -s V -l version -d 'Print version'
complete -c walctl -n "__fish_walctl_using_subcommand man" -l color -d 'When to use colours; auto means on a terminal and without NO_COLOR' -r -f -a "auto\t'On a terminal and without NO_COLOR'
always\t'Also into files and pipes'
never\t'Nowhere'"
complete -c walctl -n "__fish_walctl_using_subcommand man" -l json -d 'Results as JSON, one object a line; failures as one JSON object on standard error'
complete -c walctl -n "__fish_walctl_using_subcommand man" -s q -l quiet -d 'Print no results and no progress; only the exit code answers'
complete -c walctl -n "__fish_walctl_using_subcommand man" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c walctl -n "__fish_walctl_using_subcommand man" -s V -l version -d 'Print version'
complete -c walctl -n "__fish_walctl_using_subcommand help" -l color -d 'When to use colours; auto means on a terminal and without NO_COLOR' -r -f -a "auto\t'On a terminal and without NO_COLOR'
always\t'Also into files and pipes'
never\t'Nowhere'"
complete -c walctl -n "__fish_walctl_using_subcommand help" -l json -d 'Results as JSON, one object a line; failures as one JSON object on standard error'
complete -c walctl -n "__fish_walctl_using_subcommand help" -s q -l quiet -d 'Print no results and no progress; only the exit code answers'
complete -c walctl -n "__fish_walctl_using_subcommand help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c walctl -n "__fish_walctl_using_subcommand help" -s V -l version -d 'Print version'

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
complete -c walctl -n "__fish_walctl_needs_command" -s q -l quiet -d 'No results and no progress; the exit code tells'
complete -c walctl -n "__fish_walctl_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c walctl -n "__fish_walctl_needs_command" -s V -l version -d 'Print version'
complete -c walctl -n "__fish_walctl_needs_command" -f -a "dump" -d 'Show the records of logs, past any damage'
complete -c walctl -n "__fish_walctl_needs_command" -f -a "verify" -d 'Check logs, and say what every damage means and what to do next'
complete -c walctl -n "__fish_walctl_needs_command" -f -a "repair" -d 'Cut torn tails after saving their bytes, or salvage what is valid'
complete -c walctl -n "__fish_walctl_needs_command" -f -a "append" -d 'Append records and print the LSN of each once it is durable'
complete -c walctl -n "__fish_walctl_needs_command" -f -a "rotate" -d 'Seal the active segment and begin the next one; let old segments go'
complete -c walctl -n "__fish_walctl_needs_command" -f -a "stats" -d 'Count and measure what is in logs'
complete -c walctl -n "__fish_walctl_needs_command" -f -a "bench" -d 'Measure how fast records become durable, and how to tune it'
complete -c walctl -n "__fish_walctl_using_subcommand dump" -l format -d 'How the log lies on disk; auto tells by content and name, list shows all formats' -r -f -a "auto\t''
list\t''
native\t''
ironwal\t''
nodedb\t''
rivven\t''
allsource\t''"
complete -c walctl -n "__fish_walctl_using_subcommand dump" -l io -d 'How to read; auto maps finished segments into memory and reads the others' -r -f -a "auto\t'Finished segments through a mapping, the others with system calls'
map\t'Everything through a mapping where one can be had'
read\t'System calls only'"
complete -c walctl -n "__fish_walctl_using_subcommand dump" -l key-file -d 'A file with keys for encrypted payloads: 64 hex digits a line, oldest first; what is written is encrypted with the last one' -r -F
complete -c walctl -n "__fish_walctl_using_subcommand dump" -l lsn -d 'LSNs A..B, both included; also A.., ..B, N, and numbers below zero to count from the end: -100..' -r
complete -c walctl -n "__fish_walctl_using_subcommand dump" -l since -d 'Written at this time or later: 2026-01-02T03:04:05Z, a date, or `10min ago`' -r
complete -c walctl -n "__fish_walctl_using_subcommand dump" -l until -d 'Written at this time or earlier' -r
complete -c walctl -n "__fish_walctl_using_subcommand dump" -l kind -d 'Of this kind: full, checkpoint, txn-begin, ... as the format names them; may be given several times' -r
complete -c walctl -n "__fish_walctl_using_subcommand dump" -l tag -d 'With this tag; may be given several times' -r
complete -c walctl -n "__fish_walctl_using_subcommand dump" -l grep -d 'With a payload in which this regular expression is found; (?i) in front ignores case' -r
complete -c walctl -n "__fish_walctl_using_subcommand dump" -s C -l context -d 'Also up to N records before and behind each one that --grep finds' -r
complete -c walctl -n "__fish_walctl_using_subcommand dump" -s n -l limit -d 'At most the first N' -r
complete -c walctl -n "__fish_walctl_using_subcommand dump" -l tail -d 'Only the last N' -r
complete -c walctl -n "__fish_walctl_using_subcommand dump" -l cursor -d 'Go on behind the last record of the run before; FILE keeps where that was' -r -F
complete -c walctl -n "__fish_walctl_using_subcommand dump" -l payload -d 'How payloads are shown' -r -f -a "auto\t'Text where it is UTF-8, else hex (in JSON and CSV: base64)'
text\t'Text, with escapes for what is none'
hex\t'Hex digits'
base64\t'Base64'
json\t'JSON documents without needless blanks; text where it is none'
len\t'Only its length'"
complete -c walctl -n "__fish_walctl_using_subcommand dump" -l delimiter -d 'What stands between raw payloads' -r -f -a "lf\t'A line feed behind each'
nul\t'A zero byte behind each'
len32\t'Its length before each: four bytes, little-endian'"
complete -c walctl -n "__fish_walctl_using_subcommand dump" -l out-dir -d 'Payloads only, each into a file of its own in this folder, named by its LSN' -r -f -a "(__fish_complete_directories)"
complete -c walctl -n "__fish_walctl_using_subcommand dump" -l color -d 'When to use colours; auto means on a terminal and without NO_COLOR' -r -f -a "auto\t'On a terminal and without NO_COLOR'
always\t'Also into files and pipes'
never\t'Nowhere'"
complete -c walctl -n "__fish_walctl_using_subcommand dump" -l reverse -d 'From the end of the log to its start'
complete -c walctl -n "__fish_walctl_using_subcommand dump" -l fail-empty -d 'End with code 7 if no record is shown'
complete -c walctl -n "__fish_walctl_using_subcommand dump" -s f -l follow -d 'Wait for more when the end is reached, across segments, until interrupted'
complete -c walctl -n "__fish_walctl_using_subcommand dump" -l redact -d 'Length and keyed hash instead of content, safe for a ticket; equal contents have equal hashes within one run'
complete -c walctl -n "__fish_walctl_using_subcommand dump" -l frames -d 'Everything as it lies there: fragments, padding, control frames; + begins what one sync made durable'
complete -c walctl -n "__fish_walctl_using_subcommand dump" -l hex -d 'Bytes of each frame with its fields drawn over them (implies --frames)'
complete -c walctl -n "__fish_walctl_using_subcommand dump" -l csv -d 'Comma separated values with one line of heads'
complete -c walctl -n "__fish_walctl_using_subcommand dump" -l raw -d 'Payloads only, as they are'
complete -c walctl -n "__fish_walctl_using_subcommand dump" -l json -d 'Results as JSON, one object a line; failures as one JSON object on standard error'
complete -c walctl -n "__fish_walctl_using_subcommand dump" -s q -l quiet -d 'No results and no progress; the exit code tells'
complete -c walctl -n "__fish_walctl_using_subcommand dump" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c walctl -n "__fish_walctl_using_subcommand dump" -s V -l version -d 'Print version'
complete -c walctl -n "__fish_walctl_using_subcommand verify" -l format -d 'How the log lies on disk; auto tells by content and name, list shows all formats' -r -f -a "auto\t''
list\t''
native\t''
ironwal\t''
nodedb\t''
rivven\t''
allsource\t''"
complete -c walctl -n "__fish_walctl_using_subcommand verify" -l io -d 'How to read; auto maps finished segments into memory and reads the others' -r -f -a "auto\t'Finished segments through a mapping, the others with system calls'
map\t'Everything through a mapping where one can be had'
read\t'System calls only'"
complete -c walctl -n "__fish_walctl_using_subcommand verify" -l key-file -d 'A file with keys for encrypted payloads: 64 hex digits a line, oldest first; what is written is encrypted with the last one' -r -F
complete -c walctl -n "__fish_walctl_using_subcommand verify" -s j -l jobs -d 'How many segments to check at once [default: one for each processor]' -r
complete -c walctl -n "__fish_walctl_using_subcommand verify" -l max-rate -d 'Read no faster than this, and leave the disk to the service: 100MiB/s' -r
complete -c walctl -n "__fish_walctl_using_subcommand verify" -l ledger -d 'A ledger that append wrote: say which acknowledged records the log lacks, and end with 7 if it lacks any' -r -F
complete -c walctl -n "__fish_walctl_using_subcommand verify" -l color -d 'When to use colours; auto means on a terminal and without NO_COLOR' -r -f -a "auto\t'On a terminal and without NO_COLOR'
always\t'Also into files and pipes'
never\t'Nowhere'"
complete -c walctl -n "__fish_walctl_using_subcommand verify" -l media -d 'Read past the page cache, and report where the medium holds something else than the cache says'
complete -c walctl -n "__fish_walctl_using_subcommand verify" -l deep -d 'Also decrypt, decompress, and look for open transactions and orphaned fragments. An encrypted log needs its keys for it'
complete -c walctl -n "__fish_walctl_using_subcommand verify" -l map -d 'Draw each segment as one line: frames, padding, reserved zeros, damage'
complete -c walctl -n "__fish_walctl_using_subcommand verify" -l json -d 'Results as JSON, one object a line; failures as one JSON object on standard error'
complete -c walctl -n "__fish_walctl_using_subcommand verify" -s q -l quiet -d 'No results and no progress; the exit code tells'
complete -c walctl -n "__fish_walctl_using_subcommand verify" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c walctl -n "__fish_walctl_using_subcommand verify" -s V -l version -d 'Print version'
complete -c walctl -n "__fish_walctl_using_subcommand repair" -l format -d 'How the log lies on disk; auto tells by content and name, list shows all formats' -r -f -a "auto\t''
list\t''
native\t''
ironwal\t''
nodedb\t''
rivven\t''
allsource\t''"
complete -c walctl -n "__fish_walctl_using_subcommand repair" -l io -d 'How to read; auto maps finished segments into memory and reads the others' -r -f -a "auto\t'Finished segments through a mapping, the others with system calls'
map\t'Everything through a mapping where one can be had'
read\t'System calls only'"
complete -c walctl -n "__fish_walctl_using_subcommand repair" -l key-file -d 'A file with keys for encrypted payloads: 64 hex digits a line, oldest first; what is written is encrypted with the last one' -r -F
complete -c walctl -n "__fish_walctl_using_subcommand repair" -l max-cut -d 'Refuse to cut more than this from a segment' -r
complete -c walctl -n "__fish_walctl_using_subcommand repair" -l at -d 'Cut everything behind this LSN, on purpose; the log gives those LSNs again' -r
complete -c walctl -n "__fish_walctl_using_subcommand repair" -l accept-hole -d 'Accept that these records are gone for good (41..60): write a known hole there, of which verify still tells and which it calls clean' -r
complete -c walctl -n "__fish_walctl_using_subcommand repair" -l salvage -d 'Write all that is valid into a new log in this folder, and leave the old one alone' -r -f -a "(__fish_complete_directories)"
complete -c walctl -n "__fish_walctl_using_subcommand repair" -l color -d 'When to use colours; auto means on a terminal and without NO_COLOR' -r -f -a "auto\t'On a terminal and without NO_COLOR'
always\t'Also into files and pipes'
never\t'Nowhere'"
complete -c walctl -n "__fish_walctl_using_subcommand repair" -s n -l dry-run -d 'Say what would be done, and stop there'
complete -c walctl -n "__fish_walctl_using_subcommand repair" -l accept-suspect -d 'Also cut a tail of which nobody can tell whether it is torn or rotten'
complete -c walctl -n "__fish_walctl_using_subcommand repair" -l accept-running -d 'Mend another system\'s log although a process has it open or locked'
complete -c walctl -n "__fish_walctl_using_subcommand repair" -l yes -d 'Yes, do what --at or --accept-hole would do'
complete -c walctl -n "__fish_walctl_using_subcommand repair" -l from-dwb -d 'Put a torn end back from nodedb\'s double-write file, and cut only what that does not hold'
complete -c walctl -n "__fish_walctl_using_subcommand repair" -l undo -d 'Put the cuts of the newest repair back, unless the log has grown since'
complete -c walctl -n "__fish_walctl_using_subcommand repair" -l json -d 'Results as JSON, one object a line; failures as one JSON object on standard error'
complete -c walctl -n "__fish_walctl_using_subcommand repair" -s q -l quiet -d 'No results and no progress; the exit code tells'
complete -c walctl -n "__fish_walctl_using_subcommand repair" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c walctl -n "__fish_walctl_using_subcommand repair" -s V -l version -d 'Print version'
complete -c walctl -n "__fish_walctl_using_subcommand append" -l delimiter -d 'How records lie in standard input [default: lf]' -r -f -a "lf\t'A record a line'
nul\t'A zero byte behind each record'
len32\t'In front of each record its length: four bytes, the lowest first'"
complete -c walctl -n "__fish_walctl_using_subcommand append" -l text -d 'A record with this text; may be given several times' -r
complete -c walctl -n "__fish_walctl_using_subcommand append" -l file -d 'A record with the content of this file; may be given several times' -r -F
complete -c walctl -n "__fish_walctl_using_subcommand append" -l count -d 'Make up so many records' -r
complete -c walctl -n "__fish_walctl_using_subcommand append" -l size -d 'How long made-up records are' -r
complete -c walctl -n "__fish_walctl_using_subcommand append" -l rate -d 'At most so many records a second' -r
complete -c walctl -n "__fish_walctl_using_subcommand append" -l kind -d 'What the records are: full, checkpoint, txn-begin, txn-commit or txn-abort [default: full]' -r
complete -c walctl -n "__fish_walctl_using_subcommand append" -l tag -d 'The number that the records bear; in a checkpoint, the LSN up to which state is safe elsewhere [default: 0]' -r
complete -c walctl -n "__fish_walctl_using_subcommand append" -l batch -d 'Let so many records at a time, or all, survive a crash together or not at all' -r
complete -c walctl -n "__fish_walctl_using_subcommand append" -l ledger -d 'Also write each acknowledged LSN and a digest of its payload to this file: a line is durable before its LSN is printed. After a crash it may lack records that are durable and whose LSNs were not printed yet, and no others' -r -F
complete -c walctl -n "__fish_walctl_using_subcommand append" -l preset -d 'Settings that belong together; what is given besides counts more. Prints what it sets' -r -f -a "durable\t''
lowest-latency\t''
largest-groups\t''
past-the-cache\t''
may-lose-10ms\t''"
complete -c walctl -n "__fish_walctl_using_subcommand append" -l sync -d 'What makes a group durable: fdatasync, fsync, dsync, none or interval=DURATION [default: fdatasync]' -r
complete -c walctl -n "__fish_walctl_using_subcommand append" -l window -d 'How long a group waits for company: auto, 0, or a span of time from its first record on [default: auto]' -r
complete -c walctl -n "__fish_walctl_using_subcommand append" -l preallocate -d 'How room is made ahead: none, sparse, fallocate or zero [default: zero]' -r
complete -c walctl -n "__fish_walctl_using_subcommand append" -l segment-bytes -d 'Seal a segment before it grows beyond this size [default: 64MiB]' -r
complete -c walctl -n "__fish_walctl_using_subcommand append" -l segment-records -d 'Seal a segment when it holds so many records' -r
complete -c walctl -n "__fish_walctl_using_subcommand append" -l segment-age -d 'Seal a segment when its first record came so long ago, though nothing more comes' -r
complete -c walctl -n "__fish_walctl_using_subcommand append" -l group-bytes -d 'Let a group have no more bytes than this [default: 4MiB]' -r
complete -c walctl -n "__fish_walctl_using_subcommand append" -l group-records -d 'Let a group have no more records than this [default: 65536]' -r
complete -c walctl -n "__fish_walctl_using_subcommand append" -l queue-bytes -d 'Take nothing more in while so many bytes are on their way [default: 16MiB]' -r
complete -c walctl -n "__fish_walctl_using_subcommand append" -l frame-limit -d 'Split payloads that are longer than this [default: 1MiB]' -r
complete -c walctl -n "__fish_walctl_using_subcommand append" -l compress -d 'Compress payloads' -r -f -a "lz4\t'Fast, in both directions'
none\t'Not at all'"
complete -c walctl -n "__fish_walctl_using_subcommand append" -l compress-min -d 'Leave payloads alone that are shorter than this' -r
complete -c walctl -n "__fish_walctl_using_subcommand append" -l key-file -d 'A file with keys for encrypted payloads: 64 hex digits a line, oldest first; what is written is encrypted with the last one' -r -F
complete -c walctl -n "__fish_walctl_using_subcommand append" -l color -d 'When to use colours; auto means on a terminal and without NO_COLOR' -r -f -a "auto\t'On a terminal and without NO_COLOR'
always\t'Also into files and pipes'
never\t'Nowhere'"
complete -c walctl -n "__fish_walctl_using_subcommand append" -l keep-lsn -d 'Give records the LSNs that the JSON lines tell; a gap is refused'
complete -c walctl -n "__fish_walctl_using_subcommand append" -l repair -d 'Cut a torn tail first, as `walctl repair` does'
complete -c walctl -n "__fish_walctl_using_subcommand append" -l direct -d 'Write past the page cache, in whole blocks of which none is written twice'
complete -c walctl -n "__fish_walctl_using_subcommand append" -l buffered -d 'Write everything through the page cache. Otherwise groups go past it where room is ready for them, and who follows the log on this machine reads them from the disk'
complete -c walctl -n "__fish_walctl_using_subcommand append" -l new-key -d 'Begin a new key: encrypt with the last one of the key file, though the log\'s newest key is not in it. Its older records are read with a key file that holds both'
complete -c walctl -n "__fish_walctl_using_subcommand append" -l json -d 'Results as JSON, one object a line; failures as one JSON object on standard error'
complete -c walctl -n "__fish_walctl_using_subcommand append" -s q -l quiet -d 'No results and no progress; the exit code tells'
complete -c walctl -n "__fish_walctl_using_subcommand append" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c walctl -n "__fish_walctl_using_subcommand append" -s V -l version -d 'Print version'
complete -c walctl -n "__fish_walctl_using_subcommand rotate" -l checkpoint -d 'Write a checkpoint first: state up to this LSN is safe elsewhere' -r
complete -c walctl -n "__fish_walctl_using_subcommand rotate" -l keep-segments -d 'Keep so many of the newest segments, the active one included' -r
complete -c walctl -n "__fish_walctl_using_subcommand rotate" -l keep-bytes -d 'Keep as many of the newest segments as fit into this' -r
complete -c walctl -n "__fish_walctl_using_subcommand rotate" -l keep-for -d 'Keep segments with a record that is not older than this' -r
complete -c walctl -n "__fish_walctl_using_subcommand rotate" -l pin -d 'Keep what is not yet read by the reader whose cursor `dump --cursor` keeps in this file; may be given several times' -r -F
complete -c walctl -n "__fish_walctl_using_subcommand rotate" -l archive -d 'Copy segments there before they go; each copy is synced and checked first' -r -f -a "(__fish_complete_directories)"
complete -c walctl -n "__fish_walctl_using_subcommand rotate" -l key-file -d 'A file with keys for encrypted payloads: 64 hex digits a line, oldest first; what is written is encrypted with the last one' -r -F
complete -c walctl -n "__fish_walctl_using_subcommand rotate" -l color -d 'When to use colours; auto means on a terminal and without NO_COLOR' -r -f -a "auto\t'On a terminal and without NO_COLOR'
always\t'Also into files and pipes'
never\t'Nowhere'"
complete -c walctl -n "__fish_walctl_using_subcommand rotate" -l prune -d 'Let go what lies below the newest checkpoint, and nothing else'
complete -c walctl -n "__fish_walctl_using_subcommand rotate" -l force -d 'Let segments go although a checkpoint, a transaction or a pin keeps them'
complete -c walctl -n "__fish_walctl_using_subcommand rotate" -s n -l dry-run -d 'Change nothing; print the names of the segments that would go, one a line'
complete -c walctl -n "__fish_walctl_using_subcommand rotate" -l json -d 'Results as JSON, one object a line; failures as one JSON object on standard error'
complete -c walctl -n "__fish_walctl_using_subcommand rotate" -s q -l quiet -d 'No results and no progress; the exit code tells'
complete -c walctl -n "__fish_walctl_using_subcommand rotate" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c walctl -n "__fish_walctl_using_subcommand rotate" -s V -l version -d 'Print version'
complete -c walctl -n "__fish_walctl_using_subcommand stats" -l format -d 'How the log lies on disk; auto tells by content and name, list shows all formats' -r -f -a "auto\t''
list\t''
native\t''
ironwal\t''
nodedb\t''
rivven\t''
allsource\t''"
complete -c walctl -n "__fish_walctl_using_subcommand stats" -l io -d 'How to read; auto maps finished segments into memory and reads the others' -r -f -a "auto\t'Finished segments through a mapping, the others with system calls'
map\t'Everything through a mapping where one can be had'
read\t'System calls only'"
complete -c walctl -n "__fish_walctl_using_subcommand stats" -l key-file -d 'A file with keys for encrypted payloads: 64 hex digits a line, oldest first; what is written is encrypted with the last one' -r -F
complete -c walctl -n "__fish_walctl_using_subcommand stats" -l top -d 'How many tags, and how many of the newest segments to show; 0 for all' -r
complete -c walctl -n "__fish_walctl_using_subcommand stats" -l fail-if -d 'End with 7 when this holds for a log, as in replay_seconds>30; can be given several times' -r
complete -c walctl -n "__fish_walctl_using_subcommand stats" -l watch -d 'Count again after this time, until interrupted' -r
complete -c walctl -n "__fish_walctl_using_subcommand stats" -l color -d 'When to use colours; auto means on a terminal and without NO_COLOR' -r -f -a "auto\t'On a terminal and without NO_COLOR'
always\t'Also into files and pipes'
never\t'Nowhere'"
complete -c walctl -n "__fish_walctl_using_subcommand stats" -l scan -d 'Read every segment, and believe no seal: only then can the log be called clean'
complete -c walctl -n "__fish_walctl_using_subcommand stats" -l openmetrics -d 'As OpenMetrics text, for scrapers'
complete -c walctl -n "__fish_walctl_using_subcommand stats" -l json -d 'Results as JSON, one object a line; failures as one JSON object on standard error'
complete -c walctl -n "__fish_walctl_using_subcommand stats" -s q -l quiet -d 'No results and no progress; the exit code tells'
complete -c walctl -n "__fish_walctl_using_subcommand stats" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c walctl -n "__fish_walctl_using_subcommand stats" -s V -l version -d 'Print version'
complete -c walctl -n "__fish_walctl_using_subcommand bench" -l appenders -d 'Threads that append: a list [default: 1,16,64]' -r
complete -c walctl -n "__fish_walctl_using_subcommand bench" -l size -d 'Lengths of records: a list [default: 128]' -r
complete -c walctl -n "__fish_walctl_using_subcommand bench" -l size-dist -d 'Lengths of records with weights: 128:90,4KiB:10' -r
complete -c walctl -n "__fish_walctl_using_subcommand bench" -l from -d 'Append the payloads of this log' -r -F
complete -c walctl -n "__fish_walctl_using_subcommand bench" -l window -d 'Commit windows: a list of auto, 0 and spans of time' -r
complete -c walctl -n "__fish_walctl_using_subcommand bench" -l sync -d 'Sync modes: a list of fdatasync, fsync, dsync, none and interval=SPAN' -r
complete -c walctl -n "__fish_walctl_using_subcommand bench" -l preallocate -d 'How room is made ahead: a list of none, sparse, fallocate and zero' -r
complete -c walctl -n "__fish_walctl_using_subcommand bench" -l direct -d 'Write past the page cache: yes, or no,yes for both' -r
complete -c walctl -n "__fish_walctl_using_subcommand bench" -l buffered -d 'Write everything through the page cache, as `append --buffered` does: yes, or no,yes for both' -r
complete -c walctl -n "__fish_walctl_using_subcommand bench" -l inflight -d 'Records that each appender has on their way at a time: a list [default: 1]' -r
complete -c walctl -n "__fish_walctl_using_subcommand bench" -l rate -d 'Appends a second, begun on time whatever the disk does: a list [default: as fast as they are acknowledged]' -r
complete -c walctl -n "__fish_walctl_using_subcommand bench" -l duration -d 'How long each repeat is measured [default: 1s]' -r
complete -c walctl -n "__fish_walctl_using_subcommand bench" -l warmup -d 'How long each repeat runs before it is measured [default: a fifth of the duration]' -r
complete -c walctl -n "__fish_walctl_using_subcommand bench" -l repeats -d 'How often each cell is measured [default: 5]' -r
complete -c walctl -n "__fish_walctl_using_subcommand bench" -l target -d 'Look for the highest rate that keeps a latency: \'p99<2ms\'' -r
complete -c walctl -n "__fish_walctl_using_subcommand bench" -l svg -d 'Also write the charts to this file' -r -F
complete -c walctl -n "__fish_walctl_using_subcommand bench" -l html -d 'Also write everything to this file as one page that needs nothing else' -r -F
complete -c walctl -n "__fish_walctl_using_subcommand bench" -l baseline -d 'What an earlier `bench --json` printed, to compare with' -r -F
complete -c walctl -n "__fish_walctl_using_subcommand bench" -l fail-if -d 'End with 7 if this is so: \'p99>+10%\' (needs --baseline), \'p99>2ms\', \'rate<10000\'; may be given several times' -r
complete -c walctl -n "__fish_walctl_using_subcommand bench" -l crash-test -d 'Kill an appender so often at random moments, and check what it had acknowledged' -r
complete -c walctl -n "__fish_walctl_using_subcommand bench" -l crash-image -d 'For the crash test: mount this image of a filesystem and shut it down instead, as if the power failed (needs root)' -r -F
complete -c walctl -n "__fish_walctl_using_subcommand bench" -l color -d 'When to use colours; auto means on a terminal and without NO_COLOR' -r -f -a "auto\t'On a terminal and without NO_COLOR'
always\t'Also into files and pipes'
never\t'Nowhere'"
complete -c walctl -n "__fish_walctl_using_subcommand bench" -l disk -d 'Measure the disk by itself and nothing else'
complete -c walctl -n "__fish_walctl_using_subcommand bench" -l csv -d 'Figures as CSV'
complete -c walctl -n "__fish_walctl_using_subcommand bench" -l markdown -d 'Figures as a Markdown table'
complete -c walctl -n "__fish_walctl_using_subcommand bench" -l unlike -d 'Compare with a baseline from another kind of machine'
complete -c walctl -n "__fish_walctl_using_subcommand bench" -l json -d 'Results as JSON, one object a line; failures as one JSON object on standard error'
complete -c walctl -n "__fish_walctl_using_subcommand bench" -s q -l quiet -d 'No results and no progress; the exit code tells'
complete -c walctl -n "__fish_walctl_using_subcommand bench" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c walctl -n "__fish_walctl_using_subcommand bench" -s V -l version -d 'Print version'

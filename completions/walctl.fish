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
complete -c walctl -n "__fish_walctl_needs_command" -f -a "verify" -d 'Check logs and say what every damage means'
complete -c walctl -n "__fish_walctl_needs_command" -f -a "repair" -d 'Cut torn tails after saving their bytes, or salvage what is valid'
complete -c walctl -n "__fish_walctl_needs_command" -f -a "append" -d 'Append records and print the LSN of each once it is durable'
complete -c walctl -n "__fish_walctl_needs_command" -f -a "rotate" -d 'Seal the active segment and begin the next one'
complete -c walctl -n "__fish_walctl_needs_command" -f -a "stats" -d 'Count and measure what is in logs'
complete -c walctl -n "__fish_walctl_needs_command" -f -a "bench" -d 'Measure how fast records become durable, and how to tune it'
complete -c walctl -n "__fish_walctl_using_subcommand dump" -l format -d 'How the log lies on disk; auto tells by content and name, list shows all formats' -r -f -a "auto\t''
list\t''
native\t''
ironwal\t''
nodedb\t''"
complete -c walctl -n "__fish_walctl_using_subcommand dump" -l io -d 'How to read; auto maps finished segments into memory and reads the others' -r -f -a "auto\t'Finished segments through a mapping, the others with system calls'
map\t'Everything through a mapping where one can be had'
read\t'System calls only'"
complete -c walctl -n "__fish_walctl_using_subcommand dump" -l key-file -d 'A file with keys for encrypted payloads: 64 hex digits a line, oldest first' -r -F
complete -c walctl -n "__fish_walctl_using_subcommand dump" -l color -d 'When to use colours; auto means on a terminal and without NO_COLOR' -r -f -a "auto\t'On a terminal and without NO_COLOR'
always\t'Also into files and pipes'
never\t'Nowhere'"
complete -c walctl -n "__fish_walctl_using_subcommand dump" -l json -d 'Results as JSON, one object a line; failures as one JSON object on standard error'
complete -c walctl -n "__fish_walctl_using_subcommand dump" -s q -l quiet -d 'No results and no progress; the exit code tells'
complete -c walctl -n "__fish_walctl_using_subcommand dump" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c walctl -n "__fish_walctl_using_subcommand dump" -s V -l version -d 'Print version'
complete -c walctl -n "__fish_walctl_using_subcommand verify" -l format -d 'How the log lies on disk; auto tells by content and name, list shows all formats' -r -f -a "auto\t''
list\t''
native\t''
ironwal\t''
nodedb\t''"
complete -c walctl -n "__fish_walctl_using_subcommand verify" -l io -d 'How to read; auto maps finished segments into memory and reads the others' -r -f -a "auto\t'Finished segments through a mapping, the others with system calls'
map\t'Everything through a mapping where one can be had'
read\t'System calls only'"
complete -c walctl -n "__fish_walctl_using_subcommand verify" -l key-file -d 'A file with keys for encrypted payloads: 64 hex digits a line, oldest first' -r -F
complete -c walctl -n "__fish_walctl_using_subcommand verify" -l color -d 'When to use colours; auto means on a terminal and without NO_COLOR' -r -f -a "auto\t'On a terminal and without NO_COLOR'
always\t'Also into files and pipes'
never\t'Nowhere'"
complete -c walctl -n "__fish_walctl_using_subcommand verify" -l json -d 'Results as JSON, one object a line; failures as one JSON object on standard error'
complete -c walctl -n "__fish_walctl_using_subcommand verify" -s q -l quiet -d 'No results and no progress; the exit code tells'
complete -c walctl -n "__fish_walctl_using_subcommand verify" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c walctl -n "__fish_walctl_using_subcommand verify" -s V -l version -d 'Print version'
complete -c walctl -n "__fish_walctl_using_subcommand repair" -l format -d 'How the log lies on disk; auto tells by content and name, list shows all formats' -r -f -a "auto\t''
list\t''
native\t''
ironwal\t''
nodedb\t''"
complete -c walctl -n "__fish_walctl_using_subcommand repair" -l io -d 'How to read; auto maps finished segments into memory and reads the others' -r -f -a "auto\t'Finished segments through a mapping, the others with system calls'
map\t'Everything through a mapping where one can be had'
read\t'System calls only'"
complete -c walctl -n "__fish_walctl_using_subcommand repair" -l key-file -d 'A file with keys for encrypted payloads: 64 hex digits a line, oldest first' -r -F
complete -c walctl -n "__fish_walctl_using_subcommand repair" -l color -d 'When to use colours; auto means on a terminal and without NO_COLOR' -r -f -a "auto\t'On a terminal and without NO_COLOR'
always\t'Also into files and pipes'
never\t'Nowhere'"
complete -c walctl -n "__fish_walctl_using_subcommand repair" -l json -d 'Results as JSON, one object a line; failures as one JSON object on standard error'
complete -c walctl -n "__fish_walctl_using_subcommand repair" -s q -l quiet -d 'No results and no progress; the exit code tells'
complete -c walctl -n "__fish_walctl_using_subcommand repair" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c walctl -n "__fish_walctl_using_subcommand repair" -s V -l version -d 'Print version'
complete -c walctl -n "__fish_walctl_using_subcommand append" -l format -d 'How the log lies on disk; auto tells by content and name, list shows all formats' -r -f -a "auto\t''
list\t''
native\t''
ironwal\t''
nodedb\t''"
complete -c walctl -n "__fish_walctl_using_subcommand append" -l io -d 'How to read; auto maps finished segments into memory and reads the others' -r -f -a "auto\t'Finished segments through a mapping, the others with system calls'
map\t'Everything through a mapping where one can be had'
read\t'System calls only'"
complete -c walctl -n "__fish_walctl_using_subcommand append" -l key-file -d 'A file with keys for encrypted payloads: 64 hex digits a line, oldest first' -r -F
complete -c walctl -n "__fish_walctl_using_subcommand append" -l color -d 'When to use colours; auto means on a terminal and without NO_COLOR' -r -f -a "auto\t'On a terminal and without NO_COLOR'
always\t'Also into files and pipes'
never\t'Nowhere'"
complete -c walctl -n "__fish_walctl_using_subcommand append" -l json -d 'Results as JSON, one object a line; failures as one JSON object on standard error'
complete -c walctl -n "__fish_walctl_using_subcommand append" -s q -l quiet -d 'No results and no progress; the exit code tells'
complete -c walctl -n "__fish_walctl_using_subcommand append" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c walctl -n "__fish_walctl_using_subcommand append" -s V -l version -d 'Print version'
complete -c walctl -n "__fish_walctl_using_subcommand rotate" -l format -d 'How the log lies on disk; auto tells by content and name, list shows all formats' -r -f -a "auto\t''
list\t''
native\t''
ironwal\t''
nodedb\t''"
complete -c walctl -n "__fish_walctl_using_subcommand rotate" -l io -d 'How to read; auto maps finished segments into memory and reads the others' -r -f -a "auto\t'Finished segments through a mapping, the others with system calls'
map\t'Everything through a mapping where one can be had'
read\t'System calls only'"
complete -c walctl -n "__fish_walctl_using_subcommand rotate" -l key-file -d 'A file with keys for encrypted payloads: 64 hex digits a line, oldest first' -r -F
complete -c walctl -n "__fish_walctl_using_subcommand rotate" -l color -d 'When to use colours; auto means on a terminal and without NO_COLOR' -r -f -a "auto\t'On a terminal and without NO_COLOR'
always\t'Also into files and pipes'
never\t'Nowhere'"
complete -c walctl -n "__fish_walctl_using_subcommand rotate" -l json -d 'Results as JSON, one object a line; failures as one JSON object on standard error'
complete -c walctl -n "__fish_walctl_using_subcommand rotate" -s q -l quiet -d 'No results and no progress; the exit code tells'
complete -c walctl -n "__fish_walctl_using_subcommand rotate" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c walctl -n "__fish_walctl_using_subcommand rotate" -s V -l version -d 'Print version'
complete -c walctl -n "__fish_walctl_using_subcommand stats" -l format -d 'How the log lies on disk; auto tells by content and name, list shows all formats' -r -f -a "auto\t''
list\t''
native\t''
ironwal\t''
nodedb\t''"
complete -c walctl -n "__fish_walctl_using_subcommand stats" -l io -d 'How to read; auto maps finished segments into memory and reads the others' -r -f -a "auto\t'Finished segments through a mapping, the others with system calls'
map\t'Everything through a mapping where one can be had'
read\t'System calls only'"
complete -c walctl -n "__fish_walctl_using_subcommand stats" -l key-file -d 'A file with keys for encrypted payloads: 64 hex digits a line, oldest first' -r -F
complete -c walctl -n "__fish_walctl_using_subcommand stats" -l color -d 'When to use colours; auto means on a terminal and without NO_COLOR' -r -f -a "auto\t'On a terminal and without NO_COLOR'
always\t'Also into files and pipes'
never\t'Nowhere'"
complete -c walctl -n "__fish_walctl_using_subcommand stats" -l json -d 'Results as JSON, one object a line; failures as one JSON object on standard error'
complete -c walctl -n "__fish_walctl_using_subcommand stats" -s q -l quiet -d 'No results and no progress; the exit code tells'
complete -c walctl -n "__fish_walctl_using_subcommand stats" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c walctl -n "__fish_walctl_using_subcommand stats" -s V -l version -d 'Print version'
complete -c walctl -n "__fish_walctl_using_subcommand bench" -l format -d 'How the log lies on disk; auto tells by content and name, list shows all formats' -r -f -a "auto\t''
list\t''
native\t''
ironwal\t''
nodedb\t''"
complete -c walctl -n "__fish_walctl_using_subcommand bench" -l io -d 'How to read; auto maps finished segments into memory and reads the others' -r -f -a "auto\t'Finished segments through a mapping, the others with system calls'
map\t'Everything through a mapping where one can be had'
read\t'System calls only'"
complete -c walctl -n "__fish_walctl_using_subcommand bench" -l key-file -d 'A file with keys for encrypted payloads: 64 hex digits a line, oldest first' -r -F
complete -c walctl -n "__fish_walctl_using_subcommand bench" -l color -d 'When to use colours; auto means on a terminal and without NO_COLOR' -r -f -a "auto\t'On a terminal and without NO_COLOR'
always\t'Also into files and pipes'
never\t'Nowhere'"
complete -c walctl -n "__fish_walctl_using_subcommand bench" -l json -d 'Results as JSON, one object a line; failures as one JSON object on standard error'
complete -c walctl -n "__fish_walctl_using_subcommand bench" -s q -l quiet -d 'No results and no progress; the exit code tells'
complete -c walctl -n "__fish_walctl_using_subcommand bench" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c walctl -n "__fish_walctl_using_subcommand bench" -s V -l version -d 'Print version'

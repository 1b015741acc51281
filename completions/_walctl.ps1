
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
            [CompletionResult]::new('verify', 'verify', [CompletionResultType]::ParameterValue, 'Check logs and say what every damage means')
            [CompletionResult]::new('repair', 'repair', [CompletionResultType]::ParameterValue, 'Cut torn tails after saving their bytes, or salvage what is valid')
            [CompletionResult]::new('append', 'append', [CompletionResultType]::ParameterValue, 'Append records and print the LSN of each once it is durable')
            [CompletionResult]::new('rotate', 'rotate', [CompletionResultType]::ParameterValue, 'Seal the active segment and begin the next one')
            [CompletionResult]::new('stats', 'stats', [CompletionResultType]::ParameterValue, 'Count and measure what is in logs')
            [CompletionResult]::new('bench', 'bench', [CompletionResultType]::ParameterValue, 'Measure how fast records become durable, and how to tune it')
            break
        }
        'walctl;dump' {
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How the log lies on disk; auto tells by content and name, list shows all formats')
            [CompletionResult]::new('--io', '--io', [CompletionResultType]::ParameterName, 'How to read; auto maps finished segments into memory and reads the others')
            [CompletionResult]::new('--key-file', '--key-file', [CompletionResultType]::ParameterName, 'A file with keys for encrypted payloads: 64 hex digits a line, oldest first')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours; auto means on a terminal and without NO_COLOR')
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
            [CompletionResult]::new('--key-file', '--key-file', [CompletionResultType]::ParameterName, 'A file with keys for encrypted payloads: 64 hex digits a line, oldest first')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours; auto means on a terminal and without NO_COLOR')
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
            [CompletionResult]::new('--key-file', '--key-file', [CompletionResultType]::ParameterName, 'A file with keys for encrypted payloads: 64 hex digits a line, oldest first')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours; auto means on a terminal and without NO_COLOR')
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
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How the log lies on disk; auto tells by content and name, list shows all formats')
            [CompletionResult]::new('--io', '--io', [CompletionResultType]::ParameterName, 'How to read; auto maps finished segments into memory and reads the others')
            [CompletionResult]::new('--key-file', '--key-file', [CompletionResultType]::ParameterName, 'A file with keys for encrypted payloads: 64 hex digits a line, oldest first')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours; auto means on a terminal and without NO_COLOR')
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
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How the log lies on disk; auto tells by content and name, list shows all formats')
            [CompletionResult]::new('--io', '--io', [CompletionResultType]::ParameterName, 'How to read; auto maps finished segments into memory and reads the others')
            [CompletionResult]::new('--key-file', '--key-file', [CompletionResultType]::ParameterName, 'A file with keys for encrypted payloads: 64 hex digits a line, oldest first')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours; auto means on a terminal and without NO_COLOR')
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
            [CompletionResult]::new('--key-file', '--key-file', [CompletionResultType]::ParameterName, 'A file with keys for encrypted payloads: 64 hex digits a line, oldest first')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours; auto means on a terminal and without NO_COLOR')
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
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How the log lies on disk; auto tells by content and name, list shows all formats')
            [CompletionResult]::new('--io', '--io', [CompletionResultType]::ParameterName, 'How to read; auto maps finished segments into memory and reads the others')
            [CompletionResult]::new('--key-file', '--key-file', [CompletionResultType]::ParameterName, 'A file with keys for encrypted payloads: 64 hex digits a line, oldest first')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours; auto means on a terminal and without NO_COLOR')
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

# SPDX-License-Identifier: Apache-2.0
# fish completion for gae-run
complete -c gae-run -s p -l policy -r -d 'Policy file or directory'
complete -c gae-run -s a -l app -x -d 'Name of the application'
complete -c gae-run -s v -l verbose -d 'Print each decision'
complete -c gae-run -s q -l quiet -d 'Print no warnings'
complete -c gae-run -l trace -r -d 'Append each decision to a file'
complete -c gae-run -l trace-format -x -a 'text json' -d 'How decisions are written'
complete -c gae-run -l keep-cap -x -d 'Keep a capability'
complete -c gae-run -l check -d 'Say what this kernel offers'
complete -c gae-run -l version -d 'Print the version'
complete -c gae-run -s h -l help -d 'Print a summary of the options'
complete -c gae-run -x -a '(__fish_complete_subcommand)'

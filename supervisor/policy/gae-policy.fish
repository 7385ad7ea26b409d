# SPDX-License-Identifier: Apache-2.0
# fish completion for gae-policy
complete -c gae-policy -s p -l policy -r -d 'Policy file or directory'
complete -c gae-policy -s h -l help -d 'Print a summary'
complete -c gae-policy -s V -l version -d 'Print the version'
complete -c gae-policy -n __fish_use_subcommand -x -a 'check print explain filter learn'
complete -c gae-policy -n '__fish_seen_subcommand_from print' -l json -d 'As JSON'
complete -c gae-policy -n '__fish_seen_subcommand_from filter' -l calls -d 'Each call and what becomes of it'
complete -c gae-policy -n '__fish_seen_subcommand_from filter' -l bytes -r -d 'Write the program to a file'
complete -c gae-policy -n '__fish_seen_subcommand_from learn' -l allowed-only -d 'What was refused stays so'

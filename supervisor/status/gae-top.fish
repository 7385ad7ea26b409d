# SPDX-License-Identifier: Apache-2.0
# fish completion for gae-top
complete -c gae-top -f
complete -c gae-top -s a -l app -x -d 'Only instances of this app'
complete -c gae-top -s A -l all-users -d 'Those of all users'
complete -c gae-top -s b -l batch -d 'Print plain text and end'
complete -c gae-top -s d -l delay -x -d 'Seconds between two pictures'
complete -c gae-top -s n -l count -x -d 'End after so many pictures'
complete -c gae-top -s s -l sort -x -a 'rate sent received idle pid destination' -d 'Order of the rows'
complete -c gae-top -s r -l reverse -d 'The other way round'
complete -c gae-top -l format -x -a 'text json' -d 'How'
complete -c gae-top -l color -x -a 'auto always never' -d 'Colours'
complete -c gae-top -s h -l help -d 'Print a summary of the options'
complete -c gae-top -s V -l version -d 'Print the version'

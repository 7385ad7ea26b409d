#compdef gae-policy
# SPDX-License-Identifier: Apache-2.0
local context state line
_arguments -S -A '-*' \
	'*'{-p,--policy}'[policy]:file, directory or default:_files' \
	{-h,--help}'[print a summary]' \
	{-V,--version}'[print the version]' \
	'1:command:(check print explain filter learn)' \
	'*::argument:->arguments'
[[ $state == arguments ]] || return
case $words[1] in
print) _arguments '--json[as JSON]' '*:source:_files' ;;
filter) _arguments '--calls[each call and what becomes of it]' '--bytes[write the program to a file]:file:_files' ;;
learn) _arguments '--allowed-only[what was refused stays so]' ':trace:_files' ;;
explain) _message 'tcp://HOST\:PORT, udp://HOST\:PORT, dns NAME, sockopt LEVEL OPTION' ;;
*) _files ;;
esac

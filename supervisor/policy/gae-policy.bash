# SPDX-License-Identifier: Apache-2.0
# bash completion for gae-policy: a command, then what it takes.
_gae_policy()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command='' word options='' i

	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		case $word in
		-p | --policy) ((i++)) ;;
		-*) ;;
		*)
			command=$word
			break
			;;
		esac
	done
	case $prev in
	-p | --policy | --bytes)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	esac
	case $command in
	print) options=--json ;;
	filter) options='--calls --bytes' ;;
	learn) options=--allowed-only ;;
	'') options='--policy --help --version' ;;
	esac
	if [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
	elif [[ $command == '' ]]; then
		mapfile -t COMPREPLY < <(compgen -W 'check print explain filter learn' -- "$cur")
	elif [[ $command == explain ]]; then
		mapfile -t COMPREPLY < <(compgen -W 'tcp:// udp:// dns sockopt' -- "$cur")
	else
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
	fi
}
complete -F _gae_policy gae-policy

# SPDX-License-Identifier: Apache-2.0
# bash completion for gae-run: its options, then the program's own completion.
_gae_run()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} i=1

	# --policy=x comes as three words: --policy, =, x.
	if [[ $cur == = ]]; then
		cur=
	elif [[ $prev == = ]]; then
		prev=${COMP_WORDS[COMP_CWORD - 2]}
	fi
	while ((i < COMP_CWORD)); do
		case ${COMP_WORDS[i]} in
		--)
			((i++))
			break
			;;
		-p | -a | --policy | --app | --trace | --trace-format | --ledger | --ledger-day | --metrics-file | \
			--keep-cap | --config | --app-yaml | --urlfetch-deadline)
			if [[ ${COMP_WORDS[i + 1]} == = ]]; then ((i += 3)); else ((i += 2)); fi
			;;
		-*) ((i++)) ;;
		*) break ;;
		esac
	done
	if ((i < COMP_CWORD)); then
		declare -F _command_offset >/dev/null && _command_offset "$i"
		return
	fi
	case $prev in
	-p | --policy | --trace | --ledger | --metrics-file | --config) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
	--trace-format) mapfile -t COMPREPLY < <(compgen -W 'text json' -- "$cur") ;;
	--ledger-day) mapfile -t COMPREPLY < <(compgen -W 'pacific UTC' -- "$cur") ;;
	--app-yaml) mapfile -t COMPREPLY < <(compgen -W 'auto none' -- "$cur") ;;
	-a | --app | --keep-cap | --urlfetch-deadline) ;;
	*)
		if [[ $cur == -* && ${COMP_WORDS[COMP_CWORD - 1]} != -- ]]; then
			mapfile -t COMPREPLY < <(compgen -W '--policy --app --verbose --quiet --trace
				--trace-format --report --ledger --no-ledger --ledger-day --metrics-file
				--config --app-yaml --urlfetch-deadline --keep-cap --check --version --help' -- "$cur")
		else
			mapfile -t COMPREPLY < <(compgen -c -- "$cur")
		fi
		;;
	esac
}
complete -F _gae_run gae-run

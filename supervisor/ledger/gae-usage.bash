# SPDX-License-Identifier: Apache-2.0
# bash completion for gae-usage
_gae_usage()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} words=''

	case $prev in
	--by) words='app day host port process' ;;
	--format) words='table json csv' ;;
	--ledger-day) words='pacific utc' ;;
	--ledger | --chart)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	--day | --from | --to | --app | --process | --host | --address | --port | --sort | --limit) return ;;
	*)
		words='--today --day --from --to --all --app --process --host --address --port --by --sort --limit
			--format --no-header --chart --ledger --ledger-day --version --help'
		;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}
complete -F _gae_usage gae-usage

# SPDX-License-Identifier: Apache-2.0
# bash completion for gae-top
_gae_top()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} words=''

	case $prev in
	-s | --sort) words='rate sent received idle pid destination' ;;
	--format) words='text json' ;;
	--color) words='auto always never' ;;
	-a | --app | -d | --delay | -n | --count) return ;;
	*) words='--app --all-users --batch --delay --count --sort --reverse --format --color --help --version' ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}
complete -F _gae_top gae-top

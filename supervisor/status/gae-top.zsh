#compdef gae-top
# SPDX-License-Identifier: Apache-2.0
_arguments -S \
	{-a,--app}'[only instances of this app]:name:' \
	{-A,--all-users}'[those of all users]' \
	{-b,--batch}'[print plain text and end]' \
	{-d,--delay}'[seconds between two pictures]:seconds:' \
	{-n,--count}'[end after so many pictures]:number:' \
	{-s,--sort}'[order of the rows]:key:(rate sent received idle pid destination)' \
	{-r,--reverse}'[the other way round]' \
	'--format[how]:format:(text json)' \
	'--color[colours]:when:(auto always never)' \
	{-h,--help}'[print a summary of the options]' \
	{-V,--version}'[print the version]'

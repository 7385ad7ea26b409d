#compdef gae-usage
# SPDX-License-Identifier: Apache-2.0
_arguments -S \
	'--today[what was used today]' \
	'--day[on this day]:day:' \
	'--from[from this day on]:day:' \
	'--to[up to this day]:day:' \
	'--all[on any day]' \
	'*--app[by this app]:name:' \
	'*--process[by processes of this name]:name:' \
	'*--host[to this host]:name:_hosts' \
	'*--address[to this address]:address:' \
	'*--port[to this port]:port:' \
	'--by[what makes a row]:group:(app day host port process)' \
	'--sort[order of the rows]:column:' \
	'--limit[rows at most]:number:' \
	'--format[how]:format:(table json csv)' \
	'--no-header[leave out the line of names]' \
	'--chart[draw an SVG]:file:_files -g "*.svg"' \
	'--ledger[the ledger]:file:_files' \
	'--ledger-day[whose midnight begins a day]:zone:(pacific utc)' \
	{-h,--help}'[print a summary of the options]' \
	{-V,--version}'[print the version]'

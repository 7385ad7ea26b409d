#compdef gae-run
# SPDX-License-Identifier: Apache-2.0
_arguments -S -A '-*' \
	'*'{-p,--policy}'[policy]:file or directory:_files' \
	{-a,--app}'[name of the application]:name:' \
	'*'{-v,--verbose}'[print each decision]' \
	{-q,--quiet}'[print no warnings]' \
	'--trace[append each decision to a file]:file:_files' \
	'--trace-format[how decisions are written]:format:(text json)' \
	'--report[print at the end what went where]' \
	'--ledger[write what was used to a file]:file:_files' \
	'--no-ledger[write no ledger]' \
	'--ledger-day[whose midnight begins a day]:day:(pacific UTC)' \
	'--metrics-file[keep metrics in a file]:file:_files -g "*.prom"' \
	'--config[take variables and name from an app.yaml]:file:_files' \
	'--app-yaml[look for ./app.yaml]:word:(auto none)' \
	'--urlfetch-deadline[seconds of a URL Fetch]:seconds:' \
	'*--keep-cap[keep a capability]:capability:' \
	'--check[say what this kernel offers]' \
	'--version[print the version]' \
	{-h,--help}'[print a summary of the options]' \
	'*::program: _normal'

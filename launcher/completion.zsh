#compdef gae-run
# SPDX-License-Identifier: Apache-2.0
_arguments -S -A '-*' \
	'*'{-p,--policy}'[policy]:file or directory:_files' \
	{-a,--app}'[name of the application]:name:' \
	'*'{-v,--verbose}'[print each decision]' \
	{-q,--quiet}'[print no warnings]' \
	'--trace[append each decision to a file]:file:_files' \
	'--trace-format[how decisions are written]:format:(text json)' \
	'--config[take variables and name from an app.yaml]:file:_files' \
	'--app-yaml[look for ./app.yaml]:word:(auto none)' \
	'--urlfetch-deadline[seconds of a URL Fetch]:seconds:' \
	'*--keep-cap[keep a capability]:capability:' \
	'--check[say what this kernel offers]' \
	'--version[print the version]' \
	{-h,--help}'[print a summary of the options]' \
	'*::program: _normal'

# shellcheck shell=bash # sourced by the tests that are tables
# shellcheck disable=SC2154 # $out is set by in_lab, in lib.sh
# Tables of single calls: each row is one call of clients/probe.py, and its
# result natively and under gae-run.  One process makes all calls of a table.

# row NAME NATIVE GAE ACTION ARGUMENT...
# NATIVE `*`: whatever it is natively, the test is of the other half alone.
row() {
	local name=$1
	row_names+=("$name")
	row_native[$name]=$2
	row_gae[$name]=$3
	shift 3
	printf '%s %s\n' "$name" "$*" >>"$rows_file"
}

rows_begin() {
	declare -ga row_names=()
	declare -gA row_native=() row_gae=() row_got=()
	rows_file=$WORK/rows.$$
	: >"$rows_file"
}

rows_read() { # what the probe printed, into row_got
	local name result
	row_got=()
	while read -r name result; do row_got[$name]=$result; done <<<"$1"
}

rows_native() {
	local name
	limit=120 in_lab root "$WORK/clients/probe.py" "$rows_file"
	rows_read "$out"
	for name in "${row_names[@]}"; do
		[ "${row_native[$name]}" != '*' ] || continue
		is "native: $name" "${row_got[$name]-nothing: $out}" "${row_native[$name]}"
	done
}

rows_gae() { # root|user [OPTION...]: options of gae-run
	local who=$1 name
	shift
	if ! gae_run_built; then
		for name in "${row_names[@]}"; do skip "gae-run as $who: $name" 'gae-run is not built'; done
		return
	fi
	limit=120 in_lab "$who" "$TREE/build/gae-run" "$@" -- "$WORK/clients/probe.py" "$rows_file"
	rows_read "$out"
	for name in "${row_names[@]}"; do
		is "gae-run as $who: $name" "${row_got[$name]-nothing: $out}" "${row_gae[$name]}"
	done
}

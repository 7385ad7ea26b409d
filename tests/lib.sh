# shellcheck shell=bash disable=SC2034 # sourced; $out and $status are the callers'
# Assertions that print TAP, and the two ways a client program is run:
# natively, which proves that the test can fail, and under gae-run.
#
# From the runner (tests/e2e/run): LAB, the directory of the lab; TREE, a copy
# of what was built that an ordinary user can read; WORK, a place for files.

lab_tool=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/netlab/lab
ordinary_user=65534
# What every user may search: an own PATH may lead through root's home.
plain_path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
limit=${E2E_LIMIT:-30} # seconds for one program

ok() { printf 'ok - %s\n' "$1"; }
skip() { printf 'ok - %s # SKIP %s\n' "$1" "$2"; }
not_ok() { # NAME DETAIL: lines of which become comments
	printf 'not ok - %s\n' "$1"
	printf '%s\n' "${2-}" | sed 's/^/# /'
}

is() { # NAME GOT EXPECTED
	if [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1" "got '$2', expected '$3'"; fi
}
like() { # NAME GOT ERE
	if [[ $2 =~ $3 ]]; then ok "$1"; else not_ok "$1" "got:
$2
expected to match: $3"; fi
}
unlike() { # NAME GOT ERE
	if [[ $2 =~ $3 ]]; then not_ok "$1" "got:
$2
expected not to match: $3"; else ok "$1"; fi
}

# Run in the lab; leaves $out (standard output and error) and $status.
in_lab() { # root|user COMMAND...
	local -a who=()
	local state=$WORK/tmp/state-$1 # each user's ledger is the user's own
	[ "$1" = root ] || who=(--user "$ordinary_user")
	shift
	status=0
	out=$(timeout -k 5 "$limit" "$lab_tool" exec "$LAB" "${who[@]}" \
		env HOME="$WORK/home" XDG_STATE_HOME="$state" TMPDIR="$WORK/tmp" PATH="$plain_path" "$@" 2>&1 </dev/null) || status=$?
	[ "$status" -ne 124 ] || out+=" [ended after $limit s]"
}

gae_run_built() { [ -x "$TREE/build/gae-run" ]; }

# NAME, what the output of the program must match natively and under gae-run.
# Where both are the same, "ordinary programs notice nothing" is what is tested.
program() { # NAME --native ERE --gae ERE COMMAND...
	local name=$1 native=$3 gae=$5 who
	shift 5
	in_lab root "$@"
	like "$name: native" "$out" "$native"
	for who in root user; do
		if gae_run_built; then
			in_lab "$who" "$TREE/build/gae-run" -- "$@"
			like "$name: under gae-run as $who" "$out" "$gae"
		else
			skip "$name: under gae-run as $who" 'gae-run is not built'
		fi
	done
}

# Works the same with and without.
works() { # NAME ERE COMMAND...
	local name=$1 expected=$2
	shift 2
	program "$name" --native "$expected" --gae "$expected" "$@"
}

# Under gae-run alone, where there is nothing native to compare with.
gae() { # NAME ERE STATUS ARGUMENT-OF-GAE-RUN...
	local name=$1 expected=$2 code=$3 who
	shift 3
	for who in root user; do
		if ! gae_run_built; then
			skip "$name: as $who" 'gae-run is not built'
			continue
		fi
		in_lab "$who" "$TREE/build/gae-run" "$@"
		if [ "$status" -eq "$code" ] && [[ $out =~ $expected ]]; then
			ok "$name: as $who"
		else
			not_ok "$name: as $who" "status $status, expected $code; got:
$out
expected to match: $expected"
		fi
	done
}

# Poll a condition until it holds; false after SECONDS.
within() { # SECONDS COMMAND...
	local deadline=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$deadline" ] || return 1
		read -r -t 0.05 <> <(:) || :
	done
}

# shellcheck shell=bash disable=SC2016 # scripts for the shell inside
# A program under gae-run as a process among others: status, pipes, signals,
# the terminal, and what becomes of it when the supervisor dies.
here=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$here/../lib.sh"

run=$TREE/build/gae-run

# --- status ---
gae 'the status of the program is the status' '^$' 7 -- sh -c 'exit 7'
gae 'success is success' '^$' 0 -- true
gae 'options of the program are its own' '^-v --trace=x$' 0 -- printf '%s %s' -v --trace=x
gae 'a program is found without --' '^found$' 0 echo found
gae 'no such program: 127 and one line' 'no-such-program' 127 -- no-such-program
gae 'no such path: 127' '/nonexistent/program' 127 -- /nonexistent/program
printf 'no program\n' >"$WORK/tmp/plain"
chmod 644 "$WORK/tmp/plain"
gae 'not executable: 126 and one line' "$WORK/tmp/plain" 126 -- "$WORK/tmp/plain"
gae 'a program that is killed: as without gae-run, or 128 and the signal' '' 143 -- sh -c 'kill -TERM $$'
gae 'an unknown option: 125' 'no-such-option' 125 --no-such-option -- true
gae '--version' '^gae-run ' 0 --version
gae '--help names the options' '--policy.*--trace' 0 --help
gae 'its own reading of the kernel' 'ok' 0 --check

# --- policy errors: one line, file:line:col, nothing run ---
bad() { # NAME CONTENT ERE
	printf '%b' "$2" >"$WORK/tmp/bad.conf"
	chmod 644 "$WORK/tmp/bad.conf"
	gae "policy: $1" "bad\.conf:$3" 125 --policy "$WORK/tmp/bad.conf" -- touch "$WORK/tmp/ran"
	if ! gae_run_built; then
		skip "policy: $1: nothing was run" 'gae-run is not built'
	elif [ -e "$WORK/tmp/ran" ]; then
		not_ok "policy: $1: nothing was run"
	else
		ok "policy: $1: nothing was run"
	fi
	rm -f "$WORK/tmp/ran"
}
bad 'an unknown word' 'gae-policy 1\nalow tcp to any\n' '2:1: '
bad 'host bits in a prefix' 'gae-policy 1\nallow tcp to 10.0.0.1/8\n' '2:14: '
bad 'a data file that is missing' 'gae-policy 1\nset x file "missing.cidr"\nallow tcp to @x\n' '2:[0-9]+: .*missing.cidr'
bad 'no first line' 'allow tcp to any\n' '1:1: '
gae 'policy: a directory that is not there' 'nowhere' 125 --policy "$WORK/tmp/nowhere" -- true
printf 'gae-policy 1\nallow tcp,udp to any\nnetlink route-read\nsockopt any any pass\nbind ephemeral\nunix pair\n' >"$WORK/tmp/open.conf"
chmod 644 "$WORK/tmp/open.conf"
gae 'policy: a file of its own decides' 'url: 200 hello' 0 --policy "$WORK/tmp/open.conf" -- \
	/usr/bin/python3 -Wignore "$WORK/clients/client.py" url http://10.9.9.9/
if gae_run_built; then
	in_lab user env GAE_RUN_POLICY="$WORK/tmp/open.conf" "$run" -- \
		/usr/bin/python3 -Wignore "$WORK/clients/client.py" url http://10.9.9.9/
	like 'GAE_RUN_POLICY is --policy' "$out" 'url: 200 hello'
else
	skip 'GAE_RUN_POLICY is --policy' 'gae-run is not built'
fi

# --- trace ---
gae '-v names call, result and rule' 'connect\(.*10\.9\.9\.9.*EACCES.*10-appengine\.conf:[0-9]+' 0 -v -- \
	"$WORK/clients/client.py" url http://10.9.9.9/
gae 'a trace that cannot be written does not stop the program' '200 hello' 0 --trace=/dev/full -- \
	"$WORK/clients/client.py" url http://www.example.com/
gae_run_built || skip 'a trace pipe that is closed does not stop the program' 'gae-run is not built'
if gae_run_built; then
	in_lab user bash -c '"$0" -v -- "$1" threads http://www.example.com/ 20 2> >(exec true)' "$run" "$WORK/clients/client.py"
	like 'a trace pipe that is closed does not stop the program' "$out" 'answers 20'
fi

# --- pipes and children ---
both_ways() { # NAME ERE SCRIPT: $1 in SCRIPT is gae-run, or nothing natively
	in_lab user sh -c "$3" sh ''
	like "$1: native" "$out" "$2"
	if gae_run_built; then
		in_lab user sh -c "$3" sh "$run --"
		like "$1: under gae-run" "$out" "$2"
	else
		skip "$1: under gae-run" 'gae-run is not built'
	fi
}
both_ways 'a pipeline of three' '^100$' 'seq 1000 | $1 grep 0 | $1 head -n 100 | $1 wc -l'
both_ways 'standard input passes' '^hello$' 'echo hello | $1 cat'
both_ways 'a reader that goes away ends the writer' '^141$' 'bash -c "$1 yes | head -n 1 >/dev/null; echo \${PIPESTATUS[0]}"'
both_ways 'a shell runs a thousand children' '^1000$' '$1 sh -c "i=0; while [ \$i -lt 1000 ]; do /bin/true && i=\$((i+1)); done; echo \$i"'
both_ways 'descriptors stay open' '^hello$' 'echo hello >"$TMPDIR/in.$$"; $1 sh -c "cat <&5" 5<"$TMPDIR/in.$$"'
both_ways 'the environment and directory pass' '^/ value$' 'cd / && VARIABLE=value $1 sh -c "echo \$PWD \$VARIABLE"'
both_ways 'an alarm ends a connect that hangs' 'InterruptedError' '$1 /usr/bin/python3 -Wignore '"$WORK"'/clients/client.py alarm 93.184.215.99 80'

# --- signals from outside: TERM is forwarded, the handler's status comes back ---
both_ways 'TERM reaches the handler of the program' '^caught 5$' '
	$1 bash -c "trap \"echo caught; kill \\\$!; exit 5\" TERM; sleep 60 & echo ready >\$TMPDIR/ready.$$; wait" >"$TMPDIR/out.$$" &
	pid=$!
	until [ -s "$TMPDIR/ready.$$" ]; do :; done
	kill -TERM $pid
	code=0
	wait $pid || code=$?
	echo "$(cat "$TMPDIR/out.$$")" $code'

# --- the terminal ---
terminal() { # NAME COMMAND ERE...: keys and screens in turn, `keys:...` sends
	local name=$1 command=$2 socket=$WORK/tmux.$$ step screen=''
	shift 2
	rm -f "$socket"
	"$lab_tool" exec "$LAB" env -u TMUX TERM=screen PS1='prompt> ' tmux -S "$socket" -f /dev/null \
		new-session -d -x 100 -y 30 'bash --norc --noprofile'
	"$lab_tool" exec "$LAB" tmux -S "$socket" send-keys "$command" Enter
	for step; do
		case $step in
		keys:*) tmux -S "$socket" send-keys "${step#keys:}" ;;
		type:*) tmux -S "$socket" send-keys "${step#type:}" Enter ;;
		*)
			if ! within 10 screen_shows "$socket" "$step"; then
				screen=$(tmux -S "$socket" capture-pane -p)
				not_ok "$name" "the screen never matched '$step':
$screen"
				tmux -S "$socket" kill-server || :
				return
			fi
			;;
		esac
	done
	tmux -S "$socket" kill-server || :
	ok "$name"
}
screen_shows() { tmux -S "$1" capture-pane -p | grep -qE "$2"; }
for how in '' "$run -- "; do
	label='native'
	[ -z "$how" ] || label='under gae-run'
	if [ -n "$how" ] && ! gae_run_built; then
		for name in '^C ends the program' '^Z stops it and fg goes on' 'a full-screen program'; do
			skip "$name: $label" 'gae-run is not built'
		done
		continue
	fi
	terminal "^C ends the program: $label" "${how}sh -c 'echo be''gun; exec sleep 60'" \
		'^begun' keys:C-c '\^C' "type:echo sta''tus \$?" '^status 130'
	terminal "^Z stops it and fg goes on: $label" "${how}sh -c 'echo be''gun; read x; echo go''t \$x'" \
		'^begun' keys:C-z 'Stopped' 'type:fg' 'type:line' '^got line'
	terminal "a full-screen program: $label" "${how}/usr/bin/python3 -c 'import curses; curses.wrapper(lambda w: (w.addstr(3, 3, \"bo\" \"x\"), w.getkey()))'; echo sta''tus \$?" \
		'^   box' keys:q '^status 0'
done

# --- the supervisor dies ---
# How many processes stand between the front and its supervisor is its own affair.
supervisor_of() { # PID: of the supervisor somewhere below it
	local child
	for child in $(pgrep -P "$1"); do
		if [ "$(cat "/proc/$child/comm" 2>/dev/null)" = gae-supervisor ]; then
			printf '%s\n' "$child"
			return
		fi
		! supervisor_of "$child" || return 0
	done
	return 1
}
if gae_run_built; then
	"$lab_tool" exec "$LAB" "$run" -- sh -c 'sleep 61 & echo $! >"$0"; wait' "$WORK/tmp/child" >"$WORK/tmp/errors" 2>&1 &
	front=$!
	if within 10 test -s "$WORK/tmp/child" && within 5 supervisor_of "$front"; then
		child=$(cat "$WORK/tmp/child")
		kill -KILL "$(supervisor_of "$front")"
		status=0
		wait "$front" || status=$?
		is 'the supervisor is killed: status 125' "$status" 125
		if within 5 test ! -d "/proc/$child"; then ok 'the supervisor is killed: so is all below it'; else
			not_ok 'the supervisor is killed: so is all below it' "process $child is alive"
			kill "$child"
		fi
	else
		not_ok 'the supervisor is killed' "it was not found below $front: $(cat "$WORK/tmp/errors")"
		kill "$front" "$(cat "$WORK/tmp/child")" || :
	fi
	in_lab user "$run" -- "$run" -- true
	like 'gae-run in gae-run: one clear line or a run' "$status" '^(0|125)$'
	in_lab user "$run" -- sh -c 'ls -l /proc/$$/fd'
	unlike 'the program has no listener' "$out" 'seccomp'
else
	for name in 'the supervisor is killed' 'gae-run in gae-run' 'the program has no listener'; do
		skip "$name" 'gae-run is not built'
	done
fi

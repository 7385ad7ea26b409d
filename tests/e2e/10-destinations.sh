# shellcheck shell=bash
# Where a program may send: each rule of the shipped policy, both answers, over
# IPv4, IPv6 and v4-mapped addresses, for every kind of call that carries one.
here=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$here/../lib.sh"
# shellcheck source-path=SCRIPTDIR source=rows.sh
. "$here/rows.sh"
# shellcheck source-path=SCRIPTDIR source=../netlab/addresses.sh
. "$here/../netlab/addresses.sh"

rows_begin
dest() { # ACTION ADDRESS PORT GAE [NATIVE]
	row "$1:$2:$3" "${5-ok}" "$4" "$1" "$2" "$3"
}
both() { # ADDRESS PORT GAE: TCP and UDP
	dest tcp "$1" "$2" "$3"
	dest udp "$1" "$2" "$3"
}
every() { # ADDRESS PORT GAE: every call that carries an address
	local action
	for action in tcp tcp-nonblocking fast-open udp udp-message udp-connected; do dest "$action" "$1" "$2" "$3"; done
}

# An ordinary public host.
for host in "$public4" "$public6" "::ffff:$public4"; do
	every "$host" "$any_port" ok
	dest tcp "$host" 80 ok
	dest tcp "$host" 119 ok
	dest tcp "$host" 587 ok
	dest tcp "$host" 25 EACCES
	dest udp "$host" 25 EACCES
	dest udp-message "$host" 25 EACCES
	dest tcp-nonblocking "$host" 25 EACCES
	dest tcp "$host" 21 EACCES
done

# Google Public DNS: port 53 and no other.
for host in "${dns4[@]}" "${dns6[@]}" "::ffff:${dns4[0]}"; do
	both "$host" 53 ok
	every "$host" "$any_port" EACCES
	dest udp "$host" 5353 EACCES
	dest udp "$host" 54 EACCES
done

# Google's mail: the ports of the exception and no other.
for host in "$smtp4" "$smtp6" "::ffff:$smtp4"; do
	dest tcp "$host" 465 ok
	dest tcp "$host" 587 ok
	dest tcp "$host" 25 EACCES
	dest tcp "$host" 995 EACCES
	both "$host" "$any_port" EACCES
	dest udp "$host" 465 EACCES
done
for host in "$pop4" "$pop6" "::ffff:$pop4"; do
	dest tcp "$host" 995 ok
	dest tcp "$host" 993 EACCES
	both "$host" "$any_port" EACCES
done
for host in "$imap4" "$imap6" "::ffff:$imap4"; do
	dest tcp "$host" 993 ok
	dest tcp "$host" 995 EACCES
	both "$host" "$any_port" EACCES
done
for host in "$google4" "$google6" "::ffff:$google4"; do
	dest tcp "$host" 443 EACCES
	every "$host" "$any_port" EACCES
done

# What is not global.
for host in "${private4[@]}" "${private6[@]}" "::ffff:${private4[0]}" "::ffff:169.254.169.254"; do
	every "$host" "$any_port" EACCES
done
for host in 127.0.0.1 127.9.9.9 0.0.0.0 ::1 :: ::ffff:127.0.0.1 ::ffff:0.0.0.0; do
	both "$host" "$any_port" EACCES
done
dest udp "$multicast4" "$any_port" EACCES
dest udp "$multicast6" "$any_port" EACCES
dest udp "::ffff:$multicast4" "$any_port" EACCES
dest udp 255.255.255.255 "$any_port" EACCES
dest udp 10.77.0.255 "$any_port" EACCES
both "$link_local6%$client_link" "$any_port" EACCES
# An IPv4 address inside a transition address (NAT64, 6to4).
dest udp 64:ff9b::a09:909 "$any_port" EACCES
dest udp 2002:a09:909::1 "$any_port" EACCES

# The system's resolver is reachable though it is private; for DNS alone.
both "$resolver4" 53 ok
both "::ffff:$resolver4" 53 ok
both "$resolver4" "$any_port" EACCES

# What a packet to the row's destination looks like to the witness.
seen_as() { # ACTION:ADDRESS:PORT -> transport address port
	local action=${1%%:*} rest=${1#*:}
	local port=${rest##*:} address=${rest%:*}
	[ "$action" != fast-open ] || action=tcp
	case $address in
	::ffff:0.0.0.0 | 0.0.0.0) address=127.0.0.1 ;;
	::) address=::1 ;;
	::ffff:*) address=${address#::ffff:} ;;
	*%*) address=${address%%\%*} ;;
	esac
	printf '%s %s %s' "${action%%-*}" "$address" "$port"
}

# The witness's two logs from here on.
declare -A seen_before=([server]=0 [client]=0)
forget() {
	local side
	for side in server client; do
		seen_before[$side]=$("$lab_tool" log "$LAB" "$side" | wc -l)
	done
}
arrived() {
	local side
	for side in server client; do
		"$lab_tool" log "$LAB" "$side" | tail -n "+$((seen_before[$side] + 1))"
	done | cut -d' ' -f1-3 | sort -u
}

forget
rows_native
log=$(arrived)
for name in "${row_names[@]}"; do
	[ "${row_gae[$name]}" != ok ] || continue
	want=$(seen_as "$name")
	if grep -qxF -e "$want" <<<"$log"; then
		ok "native: $name is seen by the witness"
	else
		not_ok "native: $name is seen by the witness" "no packet '$want'"
	fi
done

for who in root user; do
	forget
	trace=$WORK/tmp/trace.$who
	rows_gae "$who" --trace="$trace" --trace-format=json
	log=$(arrived)
	for name in "${row_names[@]}"; do
		[ "${row_gae[$name]}" != ok ] || continue
		want=$(seen_as "$name")
		if ! gae_run_built; then
			skip "gae-run as $who: $name left no trace at the witness" 'gae-run is not built'
		elif grep -qxF -e "$want" <<<"$log"; then
			not_ok "gae-run as $who: $name left no trace at the witness" "a packet '$want' arrived"
		else
			ok "gae-run as $who: $name left no trace at the witness"
		fi
	done
done

# Every decision names its rule, and the same as gae-policy explain.
if gae_run_built && [ -x "$TREE/build/gae-policy" ]; then
	for name in "${row_names[@]}"; do
		# A blocked loopback or link-local address has no portable text for explain.
		case $name in *%* | *:0.0.0.0:* | *::::*) continue ;; esac
		action=${name%%:*} rest=${name#*:} decision=deny
		[ "$action" != fast-open ] || action=tcp
		[ "${row_gae[$name]}" != ok ] || decision=allow
		printf '%s %s %s %s %s\n' "$name" "${action%%-*}" "${rest%:*}" "${rest##*:}" "$decision"
	done >"$WORK/rules"
	"$lab_tool" exec "$LAB" "$here/trace_rules.py" "$WORK/tmp/trace.user" "$TREE/build/gae-policy" <"$WORK/rules"
else
	skip 'trace: every decision names its rule' 'gae-run and gae-policy are not built'
fi

# shellcheck shell=bash
# What a program may make of sockets: families, listening, binding, options.
here=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$here/../lib.sh"
# shellcheck source-path=SCRIPTDIR source=rows.sh
. "$here/rows.sh"

rows_begin
# family, type and protocol by number: the kernel's, not what a library knows.
row tcp4 ok ok create 2 1 0
row tcp6 ok ok create 10 1 6
row udp4 ok ok create 2 2 0
row udp6 ok ok create 10 2 17
row raw-icmp ok EPROTONOSUPPORT create 2 3 1
row raw-all ok EPROTONOSUPPORT create 2 3 255
row raw6-icmp ok EPROTONOSUPPORT create 10 3 58
row ping '*' EPROTONOSUPPORT create 2 2 1
row ping6 '*' EPROTONOSUPPORT create 10 2 58
row packet ok EAFNOSUPPORT create 17 3 768
row sctp '*' EPROTONOSUPPORT create 2 1 132
row sctp-seqpacket '*' EPROTONOSUPPORT create 2 5 132
row mptcp '*' EPROTONOSUPPORT create 2 1 262
row mptcp6 '*' EPROTONOSUPPORT create 10 1 262
row udplite '*' EPROTONOSUPPORT create 2 2 136
row dccp '*' EPROTONOSUPPORT create 2 6 33
row vsock '*' EAFNOSUPPORT create 40 1 0
row alg '*' EAFNOSUPPORT create 38 5 0
row bluetooth '*' EAFNOSUPPORT create 31 3 1
row xdp '*' EAFNOSUPPORT create 44 3 0
row netlink-route ok ok create 16 3 0
row netlink-generic ok EPROTONOSUPPORT create 16 3 16
row netlink-netfilter '*' EPROTONOSUPPORT create 16 3 12
row unix-pair ok ok pair

row listen4 ok EACCES listen 0.0.0.0
row listen6 ok EACCES listen ::
row bind-any-0 ok ok bind 0.0.0.0 0
row bind6-any-0 ok ok bind :: 0
row bind-any-port ok EACCES bind 0.0.0.0 8080
row bind6-any-port ok EACCES bind :: 8080
row bind-address-0 ok EACCES bind 10.77.0.2 0
row bind-address-port ok EACCES bind 10.77.0.2 8080
row bind-loopback-0 ok EACCES bind 127.0.0.1 0
row bind6-loopback-0 ok EACCES bind ::1 0

# The eight options: setting does nothing, getting gives the mock value.
mock() { # NAME LEVEL OPTION VALUE-TO-SET MOCK
	row "set-$1" ok ok set "$2" "$3" "$4"
	row "get-$1" '*' "ok $5" get "$2" "$3"
	row "set-get-$1" '*' "ok $5" set-get "$2" "$3" "$4"
}
mock SO_KEEPALIVE 1 9 1 00000000
mock SO_DEBUG 1 1 1 80000000
mock TCP_NODELAY 6 1 1 00000000
mock SO_LINGER 1 13 5 0000000000000000
mock SO_OOBINLINE 1 10 1 00000000
mock SO_SNDBUF 1 7 65536 00200000
mock SO_RCVBUF 1 8 65536 00200000
mock SO_REUSEADDR 1 2 0 01000000
row get-SO_ERROR 'ok 00000000' 'ok 00000000' get 1 4
row set-SO_ERROR ENOPROTOOPT EACCES set 1 4 0
row set-SO_MARK ok EACCES set 1 36 7
row get-SO_MARK 'ok 00000000' EACCES get 1 36
row set-SO_DONTROUTE ok EACCES set 1 5 1
row set-SO_RCVLOWAT ok EACCES set 1 18 1
row set-IP_TRANSPARENT ok EACCES set 0 19 1
row get-IP_TRANSPARENT 'ok 00000000' EACCES get 0 19
row set-IP_HDRINCL '*' EACCES set 0 3 1
row set-TCP_WINDOW_CLAMP ok EACCES set 6 10 4096
row set-TCP_REPAIR ok EACCES set 6 19 1
row set-unknown ENOPROTOOPT EACCES set 1 9999 1

rows_native
rows_gae root
rows_gae user

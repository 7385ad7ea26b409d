# shellcheck shell=bash
# Ordinary programs: what the policy allows works as without gae-run, what it
# forbids fails with the words that the program's own library has for EACCES.
here=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$here/../lib.sh"
# shellcheck source-path=SCRIPTDIR source=../netlab/addresses.sh
. "$here/../netlab/addresses.sh"
clients=$WORK/clients

python=(/usr/bin/python3 -Wignore "$clients/client.py")
refused='Permission denied'

# --- Python ---
works 'Python smtplib submits a letter on port 587 with STARTTLS' 'accepted \{\}' "${python[@]}" submit mail.example.com 587 letter-$$
works 'Python smtplib speaks to smtp.gmail.com on 587' 'accepted \{\}' "${python[@]}" submit smtp.gmail.com 587 gmail-$$
works 'Python smtplib speaks to smtp.gmail.com on 465' 'noop 250' "${python[@]}" smtps smtp.gmail.com
program 'Python smtplib is refused on port 25' --native 'noop 250' --gae "$refused" "${python[@]}" smtp25 mail.example.com
works 'Python poplib reads a box at pop.gmail.com' 'letters [1-9]' "${python[@]}" pop3s pop.gmail.com
works 'Python imaplib reads a box at imap.gmail.com' 'letters [1-9]' "${python[@]}" imaps imap.gmail.com
works 'Python nntplib reads a group' 'group lab.test 1 <1@example.com>' "${python[@]}" nntp news.example.com
program 'Python ftplib is refused' --native "files .*file" --gae "$refused" "${python[@]}" ftp ftp.example.com
works 'Python urllib gets http' '200 hello' "${python[@]}" url http://www.example.com/
works 'Python urllib gets https' '200 hello' "${python[@]}" url https://www.example.com/
works 'Python urllib gets an IPv6 address' '200 hello' "${python[@]}" url "http://[$public6]/"
program 'Python urllib is refused at www.google.com' --native '200 hello' --gae "$refused" "${python[@]}" url https://www.google.com/
program 'Python urllib is refused at a private host' --native '200 hello' --gae "$refused" "${python[@]}" url http://intranet.example.com/
program 'Python urllib is refused at the metadata address' --native '200 hello' --gae "$refused" "${python[@]}" url http://169.254.169.254/
works 'Python ssl wraps a socket' 'tls TLSv1' "${python[@]}" tls www.example.com 443
works 'Python asyncio holds 40 connections' "answers 40 \{b'200'\}" "${python[@]}" asyncio www.example.com 80 40
works 'Python threads make 64 requests' "answers 64 \{'200 hello" "${python[@]}" threads http://www.example.com/ 64
works 'Python subprocess: a child is under the same rules' 'child url: 200 hello' "${python[@]}" processes http://www.example.com/
program 'Python subprocess: a child is refused too' --native 'child url: 200' --gae "$refused" "${python[@]}" processes http://10.9.9.9/
program 'Python socketserver may not listen' --native 'listening' --gae "$refused" "${python[@]}" server
works 'Python getaddrinfo finds both families' "addresses $public6 $public4" "${python[@]}" resolve www.example.com
works 'Python asks 8.8.8.8 by hand' "answer $public4" "${python[@]}" query 8.8.8.8 53
works 'Python asks 2001:4860:4860::8888 by hand' "answer $public4" "${python[@]}" query 2001:4860:4860::8888 53

# --- curl, openssl ---
works 'curl gets http' 'hello' curl -sS http://www.example.com/
works 'curl gets https over IPv6' 'hello' curl -sS -6 https://www.example.com/
works 'curl makes eight transfers at once' '(200 ){8}$' curl -s --no-progress-meter --parallel --parallel-immediate -w '%{http_code} ' -o '/dev/null' 'http://www.example.com/?[1-8]'
program 'curl is refused at Google' --native hello --gae "[Pp]ermission denied|Couldn't connect|Failed to connect" curl -sS https://www.google.com/
program 'curl may not use FTP' --native file --gae "[Pp]ermission denied|Couldn't connect|Failed to connect" curl -sS ftp://ftp.example.com/pub/
works 'openssl s_client verifies' 'Verify return code: 0' openssl s_client -connect www.example.com:443 -CAfile "$LAB/tls/ca.pem"
works 'openssl s_client speaks STARTTLS' 'Verify return code: 0' openssl s_client -connect mail.example.com:587 -starttls smtp -CAfile "$LAB/tls/ca.pem"
works 'getent finds a host through the system resolver' "$smtp4" getent ahostsv4 smtp.gmail.com

# --- static, without the C library of this machine ---
works 'a static program resolves and connects' 'static: connected' "$clients/static" www.example.com 80
program 'a static program is refused' --native 'connected' --gae "$refused" "$clients/static" intranet.example.com 80
works 'busybox wget gets http' 'hello' busybox wget -q -O - http://www.example.com/

# --- Go ---
works 'Go dials' 'dial: connected' "$clients/goclient" dial tcp www.example.com:80
works 'Go gets https' '200 OK hello' "$clients/goclient" get https://www.example.com/
works 'Go: 64 goroutines get http' 'answers 64' "$clients/goclient" many http://www.example.com/ 64
works "Go's own resolver finds a host" "$public4" "$clients/goclient" resolve www.example.com
works 'Go sends and receives datagrams' 'echo probe' "$clients/goclient" datagram "$public4:$any_port"
works 'Go runs a child' 'from a child' "$clients/goclient" child
program 'Go is refused at a private host' --native 'connected' --gae 'permission denied' "$clients/goclient" dial tcp 10.9.9.9:80
program 'Go may not send a datagram to a private host' --native 'echo probe' --gae 'permission denied' "$clients/goclient" datagram "192.168.9.9:$any_port"
program 'Go may not listen' --native 'listening' --gae 'permission denied' "$clients/goclient" listen

# --- Java ---
java=("$(readlink -f "$(command -v java)")" -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xshare:auto -cp "$clients" Client)
works 'Java Socket' '200 OK' "${java[@]}" socket www.example.com 80
works 'Java DatagramSocket' 'echo probe' "${java[@]}" datagram "$public4" "$any_port"
works 'Java NIO' 'nio: connected' "${java[@]}" nio www.example.com 80
works 'Java HttpClient' '200 hello' "${java[@]}" http http://www.example.com/
works 'Java: 16 threads' 'answers 64' "${java[@]}" threads www.example.com 80 64
program 'Java Socket is refused at a private host' --native '200 OK' --gae "$refused" "${java[@]}" socket 10.9.9.9 80
program 'Java NIO is refused at Google' --native 'connected' --gae "$refused" "${java[@]}" nio www.google.com 443
program 'Java may not listen' --native 'listening' --gae "$refused" "${java[@]}" listen

# --- Node ---
node=("$(readlink -f "$(command -v node)")" "$clients/client.js")
works 'Node net' 'connect: connected' "${node[@]}" connect www.example.com 80
works 'Node http' '200 hello' "${node[@]}" get http://www.example.com/
works 'Node https' '200 hello' "${node[@]}" get https://www.example.com/
works 'Node: 64 requests at once' 'answers 64' "${node[@]}" many http://www.example.com/ 64
works 'Node dgram' 'echo probe' "${node[@]}" datagram "$public4" "$any_port"
works 'Node dns.lookup' "$public4" "${node[@]}" lookup www.example.com
works 'Node dns.resolve (c-ares)' "$public4" "${node[@]}" resolve www.example.com
works 'Node lists its interfaces' "$client_link" "${node[@]}" interfaces
works 'Node child_process with pipes' 'and from a child' "${node[@]}" child
program 'Node is refused at a private host' --native connected --gae 'EACCES' "${node[@]}" connect 172.16.9.9 80
program 'Node dgram is refused at a private host' --native 'echo probe' --gae 'EACCES' "${node[@]}" datagram 10.9.9.9 "$any_port"
program 'Node may not listen' --native listening --gae 'EACCES' "${node[@]}" listen

# What was submitted is in the box, so "accepted" was no empty word.
deadline=$((SECONDS + 10))
until found=$(grep -rl "Subject: letter-$$" "$LAB/mail/inbox" 2>/dev/null | wc -l); [ "$found" -gt 0 ]; do
	[ "$SECONDS" -lt "$deadline" ] || break
	read -r -t 0.05 <> <(:) || :
done
expected=1
! gae_run_built || expected=3
is 'each submitted letter was delivered' "$found" "$expected"

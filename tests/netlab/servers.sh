# shellcheck shell=bash disable=SC2154 # part of tests/netlab/lab, which sets the names
# The servers of the lab, each with a configuration of its own in $dir.

# Does a connection from the client's side get through?
answers() { # ADDRESS PORT
	# shellcheck disable=SC2016 # for the shell inside
	on_client timeout 3 bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$1" "$2"
}

# Does the server greet with TEXT?
greets() { # ADDRESS PORT TEXT
	# shellcheck disable=SC2016 # for the shell inside
	on_client timeout 3 bash -c 'exec 3<>"/dev/tcp/$0/$1" && read -r line <&3 && [[ $line == "$2"* ]]' "$@"
}

start() { # NAME server|client COMMAND...
	local name=$1 side=$2 enter=(--net --mount)
	shift 2
	[ "$side" = client ] || enter+=(--pid)
	setsid nsenter -t "$(cat "$dir/pid/$side")" "${enter[@]}" -- "$@" \
		>"$dir/log/$name.log" 2>&1 </dev/null &
	printf '%s\n' $! >"$dir/pid/$name"
}

servers_start() {
	witness_start
	dns_start
	web_start
	mailbox_start
	smtp_start
	news_start
	ftp_start
	local port
	for port in 80 443 465 "$any_port"; do
		until_ready "the server at port $port" answers "$public4" "$port"
	done
	for port in 21 25 587; do
		until_ready "the server at port $port" greets "$public4" "$port" 220
	done
	until_ready 'the news server' greets "$public4" 119 200
	until_ready 'the POP3S server' answers "$pop4" 995
	until_ready 'the IMAPS server' answers "$imap6" 993
	until_ready 'the resolver' answers "$resolver4" 53
}

witness_start() {
	local side link
	for side in server client; do
		link=$server_link
		[ "$side" = server ] || link=lo
		start "witness-$side" "$side" "$here/witness" watch "$link" "$dir/witness.$side" \
			"$any_port" "$multicast4" "$multicast6"
	done
	until_ready 'the witness of the client' answers 127.0.0.1 "$any_port"
}

# One authority, one certificate with every name and address.
tls_make() {
	local line name address
	{
		printf '[req]\ndistinguished_name=dn\nprompt=no\n[dn]\nCN=lab\n'
		printf '[ca]\nbasicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\nsubjectKeyIdentifier=hash\n'
		printf '[leaf]\nbasicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\nsubjectAltName=@alt\n[alt]\n'
		local n=0
		for line in "${names[@]}"; do
			name=${line%% *}
			n=$((n + 1))
			printf 'DNS.%d=%s\n' "$n" "$name"
		done
		n=0
		for address in "${server_addresses4[@]}" "${server_addresses6[@]}"; do
			n=$((n + 1))
			printf 'IP.%d=%s\n' "$n" "$address"
		done
	} >"$dir/tls/openssl.cnf"
	(
		cd "$dir/tls" || exit
		openssl req -x509 -config openssl.cnf -extensions ca -newkey ec -pkeyopt ec_paramgen_curve:P-256 \
			-nodes -subj '/CN=netlab authority' -days 2 -keyout ca.key -out ca.pem
		openssl req -config openssl.cnf -newkey ec -pkeyopt ec_paramgen_curve:P-256 \
			-nodes -keyout server.key -out server.csr
		openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
			-extfile openssl.cnf -extensions leaf -out server.pem
		chmod 644 ca.pem server.pem
	) >"$dir/log/tls.log" 2>&1
}

dns_start() {
	local line name address4 address6 address
	{
		printf 'no-resolv\nno-hosts\nbind-interfaces\nkeep-in-foreground\nlog-facility=-\nuser=root\npid-file=\n'
		for address in "$resolver4" "${dns4[@]}" "${dns6[@]}"; do printf 'listen-address=%s\n' "$address"; done
		for line in "${names[@]}"; do
			read -r name address4 address6 <<<"$line"
			printf 'host-record=%s,%s,%s\n' "$name" "$address4" "$address6"
		done
		printf 'address=/example.com/\n'
	} >"$dir/dnsmasq.conf"
	start dnsmasq server dnsmasq --conf-file="$dir/dnsmasq.conf"
}

web_start() {
	printf 'hello from the lab\n' >"$dir/www/index.html"
	chmod 644 "$dir/www/index.html"
	cat >"$dir/nginx.conf" <<-EOT
		daemon off;
		user nobody nogroup;
		worker_processes 1;
		pid $dir/run/nginx.pid;
		error_log $dir/log/nginx.error;
		events { worker_connections 256; }
		http {
			access_log $dir/log/nginx.access;
			client_body_temp_path $dir/run/nginx.body;
			proxy_temp_path $dir/run/nginx.proxy;
			fastcgi_temp_path $dir/run/nginx.fastcgi;
			uwsgi_temp_path $dir/run/nginx.uwsgi;
			scgi_temp_path $dir/run/nginx.scgi;
			server {
				listen 80;
				listen [::]:80;
				listen 443 ssl;
				listen [::]:443 ssl;
				ssl_certificate $dir/tls/server.pem;
				ssl_certificate_key $dir/tls/server.key;
				root $dir/www;
			}
		}
	EOT
	start nginx server nginx -e "$dir/log/nginx.error" -c "$dir/nginx.conf"
}

# POP3S and IMAPS: one box, user lab, password secret, one letter in it.
mailbox_start() {
	mkdir -p "$dir"/mail/lab/{cur,new,tmp} "$dir/run/dovecot"
	printf 'From: a@example.com\r\nTo: lab@example.com\r\nSubject: letter in the box\r\n\r\nhello\r\n' \
		>"$dir/mail/lab/new/1.letter.lab"
	chown -R mail:mail "$dir/mail"
	cat >"$dir/dovecot.conf" <<-EOT
		base_dir = $dir/run/dovecot
		state_dir = $dir/run/dovecot
		log_path = $dir/log/dovecot
		protocols = imap pop3
		listen = *, ::
		ssl = required
		ssl_cert = <$dir/tls/server.pem
		ssl_key = <$dir/tls/server.key
		auth_mechanisms = plain login
		first_valid_uid = 1
		mail_location = maildir:$dir/mail/%u
		passdb {
			driver = static
			args = password=secret
		}
		userdb {
			driver = static
			args = uid=mail gid=mail home=$dir/mail/%u
		}
		service stats {
			client_limit = 64
		}
	EOT
	start dovecot server dovecot -F -c "$dir/dovecot.conf"
}

# Postfix insists on its directories: they are covered inside the namespace.
smtp_start() {
	mkdir -p "$dir/postfix" "$dir/mail/inbox"
	chown mail:mail "$dir/mail/inbox"
	cp /etc/postfix/postfix-files /etc/postfix/dynamicmaps.cf "$dir/postfix/" 2>/dev/null || :
	mkdir -p "$dir"/postfix/{postfix-files.d,dynamicmaps.cf.d}
	cat >"$dir/postfix/main.cf" <<-EOT
		compatibility_level = 3.6
		myhostname = mail.example.com
		mydestination =
		inet_interfaces = all
		mynetworks = 127.0.0.0/8
		virtual_mailbox_domains = example.com
		virtual_mailbox_base = $dir/mail
		virtual_mailbox_maps = static:inbox/
		virtual_uid_maps = static:$(id -u mail)
		virtual_gid_maps = static:$(id -g mail)
		virtual_minimum_uid = 1
		smtpd_recipient_restrictions = reject_unauth_destination
		smtpd_relay_restrictions = reject_unauth_destination
		smtpd_peername_lookup = no
		smtpd_tls_security_level = may
		smtpd_tls_cert_file = $dir/tls/server.pem
		smtpd_tls_key_file = $dir/tls/server.key
		smtpd_tls_session_cache_database =
		maillog_file = /var/log/postfix.log
		alias_maps =
		alias_database =
	EOT
	cat >"$dir/postfix/master.cf" <<-EOT
		25        inet n - n - - smtpd
		587       inet n - n - - smtpd
		465       inet n - n - - smtpd -o smtpd_tls_wrappermode=yes
		pickup    unix n - n 60 1 pickup
		cleanup   unix n - n - 0 cleanup
		qmgr      unix n - n 300 1 qmgr
		tlsmgr    unix - - n 1000? 1 tlsmgr
		rewrite   unix - - n - - trivial-rewrite
		bounce    unix - - n - 0 bounce
		defer     unix - - n - 0 bounce
		trace     unix - - n - 0 bounce
		error     unix - - n - - error
		proxymap  unix - - n - - proxymap
		virtual   unix - n n - - virtual
		anvil     unix - - n - 1 anvil
		postlog   unix-dgram n - n - 1 postlogd
	EOT
	start postfix server sh -ec "
		mount -t tmpfs -o mode=755 tmpfs /var/spool/postfix
		mount -t tmpfs -o mode=755 tmpfs /var/lib/postfix
		chown postfix /var/lib/postfix
		mkdir -p '$dir/log/postfix'
		mount --bind '$dir/log/postfix' /var/log
		mount --bind '$dir/postfix' /etc/postfix
		exec postfix start-fg"
}

# News: sn speaks on its standard input, as under inetd.
news_start() {
	mkdir -p "$dir/news"
	printf 'news.example.com\n' >"$dir/news/.me"
	chown -R news:news "$dir/news"
	{
		SNROOT=$dir/news setpriv --reuid news --regid news --clear-groups snprimedb
		SNROOT=$dir/news setpriv --reuid news --regid news --clear-groups snnewgroup lab.test
		printf 'From: a@example.com\r\nNewsgroups: lab.test\r\nSubject: first article\r\nDate: Mon, 23 Nov 2026 12:00:00 +0000\r\nMessage-ID: <1@example.com>\r\nPath: lab\r\n\r\nhello\r\n.\r\n' |
			SNROOT=$dir/news setpriv --reuid news --regid news --clear-groups snstore
	} >"$dir/log/news.setup" 2>&1 || :
	start news server socat TCP6-LISTEN:119,ipv6only=0,reuseaddr,fork \
		"EXEC:env SNROOT=$dir/news setpriv --reuid news --regid news --clear-groups snntpd"
}

ftp_start() {
	mkdir -p "$dir/ftp/pub" "$dir/run/empty"
	printf 'hello\n' >"$dir/ftp/pub/file"
	cat >"$dir/vsftpd.conf" <<-EOT
		listen=NO
		listen_ipv6=YES
		background=NO
		anonymous_enable=YES
		local_enable=NO
		anon_root=$dir/ftp
		ftp_username=daemon
		secure_chroot_dir=$dir/run/empty
		xferlog_enable=NO
		seccomp_sandbox=NO
	EOT
	start vsftpd server vsftpd "$dir/vsftpd.conf"
}

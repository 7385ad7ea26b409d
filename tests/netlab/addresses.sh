# shellcheck shell=bash disable=SC2034 # sourced: the names are used elsewhere
# Who is who in the lab.  Addresses are the real ones wherever a rule names
# them; no packet for any of them leaves the two namespaces.

client_link=net0
server_link=lab0
client4=10.77.0.2
client6=fd77::2
gateway4=10.77.0.1
gateway6=fd77::1
link_local6=fe80::77

# An ordinary public host: web, FTP, news, mail.
public4=93.184.215.14
public6=2606:2800:21f:cb07:6820:80da:af6b:8b2c

# Google Public DNS.
dns4=(8.8.8.8 8.8.4.4)
dns6=(2001:4860:4860::8888 2001:4860:4860::8844)

# Inside Google's ranges: the mail hosts that have an exception, and the web.
smtp4=142.250.0.108
smtp6=2607:f8b0:4004:c1b::6c
pop4=142.250.0.109
pop6=2607:f8b0:4004:c1b::6d
imap4=142.250.0.110
imap6=2607:f8b0:4004:c1b::6e
google4=142.250.0.100
google6=2607:f8b0:4004:c1b::64

# Not global.
resolver4=10.0.0.53
private4=(10.9.9.9 172.16.9.9 192.168.9.9 100.64.9.9 169.254.169.254 198.18.9.9)
private6=(fc00::9 fd00:9::9)
multicast4=239.9.9.9
multicast6=ff0e::9

# A port at which the witness answers on every address.
any_port=7007

server_addresses4=("$public4" "${dns4[@]}" "$smtp4" "$pop4" "$imap4" "$google4" "$resolver4" "${private4[@]}")
server_addresses6=("$public6" "${dns6[@]}" "$smtp6" "$pop6" "$imap6" "$google6" "${private6[@]}")

# name address4 address6
names=(
	"www.example.com $public4 $public6"
	"ftp.example.com $public4 $public6"
	"news.example.com $public4 $public6"
	"mail.example.com $public4 $public6"
	"smtp.gmail.com $smtp4 $smtp6"
	"pop.gmail.com $pop4 $pop6"
	"imap.gmail.com $imap4 $imap6"
	"www.google.com $google4 $google6"
	"dns.google ${dns4[0]} ${dns6[0]}"
	"intranet.example.com ${private4[0]} ${private6[0]}"
)

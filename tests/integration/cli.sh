#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# usbip-rpc as it is typed: its output, its errors and their exit codes.
. "$top_srcdir/tests/lib.sh"

dir=$(mktemp -d) || exit 1
daemon=
trap '[ -z "$daemon" ] || kill "$daemon" 2>/dev/null; rm -rf "$dir"' EXIT
prog=$top_builddir/client/usbip-rpc

cat >"$dir/script" <<END
device 1-1 disk serial=FAKE0001 size=1
device 1-2 zero serial=ZERO-A
device 1-3 zero serial=ZERO-B
device 2-1 zero speed=super id=0525:a4a3
END
printf '1-1 *\n2-1 *\n' >"$dir/exports"
"$top_builddir/server/usbip-rpcd" -f --no-rpcbind --listen 127.0.0.1 \
	--control "$dir/control" \
	-e "$dir/exports" --backend "fake:$dir/script" 2>"$dir/log" &
daemon=$!
port=
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
	port=$(sed -n 's/.*listening on port \([0-9]*\).*/\1/p' "$dir/log")
	[ -z "$port" ] || break
	sleep 0.2
done
[ -n "$port" ] || { cat "$dir/log"; echo "Bail out! no usbip-rpcd"; exit 1; }

# gives CODE TEXT ARGUMENT...: the exit code, and TEXT (an extended regular
# expression) somewhere in what it says; no TEXT: it says nothing
gives() {
	code=$1 text=$2; shift 2
	timeout 30 "$prog" "$@" >"$dir/out" 2>&1
	got=$?
	if [ $got = "$code" ]; then
		[ -n "$text" ] || [ -s "$dir/out" ] || return 0
		grep -Eq -- "${text:-^$}" "$dir/out" && return 0
	fi
	echo "# usbip-rpc $*: exit code $got, not $code, or no \"$text\" in:"
	sed 's/^/#   /' "$dir/out"
	return 1
}

ok "no command" gives 2 "Usage: usbip-rpc COMMAND"
ok "a wrong command" gives 2 'no command "lits"' lits
ok "help" gives 0 "detach +give a device back" help
ok "--help" gives 0 "attach +bring a device" --help
ok "help of help" gives 0 "^Usage: usbip-rpc COMMAND" help help
ok "help of what is no command" gives 2 'no command "lits"' help lits
ok "version" gives 0 "^usbip-rpc [0-9]" version
for c in list attach port detach; do
	ok "$c --help" gives 0 "Usage: usbip-rpc $c" $c --help
	ok "help $c" gives 0 "Usage: usbip-rpc $c" help $c
	ok "$c, a wrong option" gives 2 "Try: usbip-rpc $c --help" $c --wrong
	ok "$c, a wrong tag" gives 2 "no such debug tag" $c -d wrong
done

at="127.0.0.1 --tcp-port $port"
ok "list" gives 0 "^1-1 +46f4:0001 +480 Mb/s +mass storage +available .*Fake Stick" list $at
ok "list, a speed" gives 0 "^2-1 +0525:a4a3 +5 Gb/s" list -r $at
ok "list, not exported" gives 0 "^1-2 .*not exported to you" list $at
ok "list --json is JSON" gives 0 '"busid": "1-1"' list $at --json
ok "list --json has the state" gives 0 '"state": "not exported"' list $at --json
ok "list --watch, nothing there" gives 3 "refuses port 1" list 127.0.0.1 --tcp-port 1 --watch
udp="127.0.0.1 --udp-port $port"
ok "list by datagrams" gives 0 "^1-1 +46f4:0001 .*available" list $udp
ok "list by datagrams, not exported" gives 0 "^1-2 .*not exported to you" list $udp
ok "list --proto udp" gives 0 "^1-1 +46f4:0001 .*available" list $at --proto udp
ok "list --proto udp, and tcp behind it" gives 0 "^1-1 .*available" list --proto udp $at --proto tcp
ok "list, a protocol that is none" gives 2 "tcp or udp" list $at --proto sctp
ok "list by datagrams, nothing there" gives 3 "refuses UDP port 1:" list 127.0.0.1 --udp-port 1
ok "list by datagrams, a port that is none" gives 2 "1 to 65535" list a --udp-port 0
ok "list, no host" gives 2 "takes a host" list
ok "list, two hosts" gives 2 "takes a host" list a b
ok "list, a port that is none" gives 2 "1 to 65535" list a --tcp-port 0
ok "list, no such host" gives 3 "cannot find the host" list nosuch.invalid
ok "list, nothing there" gives 3 "refuses port 1:.*usbip-rpcd" list 127.0.0.1 --tcp-port 1
ok "list, IPv6" gives 3 "(refuses port 1|cannot connect)" list ::1 --tcp-port 1

ok "attach, no device" gives 2 "a host and a device" attach 127.0.0.1
ok "attach, no name of a device" gives 2 "is no device" attach 127.0.0.1 usb1
ok "attach, half a name" gives 2 "is no device" attach 127.0.0.1 46f4:1
ok "attach, a UDP port that is none" gives 2 "1 to 65535" attach 127.0.0.1 1-1 --udp-port 65536
ok "attach, a protocol that is none" gives 2 "tcp or udp" attach 127.0.0.1 1-1 --proto nfs
ok "attach, no time" gives 2 "1 to 3600" attach 127.0.0.1 1-1 --timeout 0
ok "attach, follows for no time" gives 2 "1 to 1000000" attach 127.0.0.1 1-1 --follow 0
ok "attach, persists and follows" gives 2 "without --follow" attach 127.0.0.1 1-1 --persist --follow 3
if [ ! -e /dev/usbip-rpc-vhci ]; then
	ok "attach, no module" gives 7 "modprobe usbip-rpc-vhci" attach $at -b 1-1
	ok "the same in the foreground" gives 7 "modprobe" attach $at -b 1-1 --foreground
	ok "and where it is to persist" gives 7 "modprobe" attach $at -b 1-1 --persist
	ok "which claims nothing" gives 0 "^1-1 .*available" list $at
fi
ok "port, a wrong argument" gives 2 "takes no" port 1
ok "detach, nothing said" gives 2 "takes -p PORT" detach
ok "detach, too much said" gives 2 "takes -p PORT" detach -p 1 --all
if [ ! -d /run/usbip-rpc ]; then
	ok "port, nothing there" gives 0 "" port
	ok "port --json, nothing there" gives 0 "^\[\]$" port --json
	ok "port -p, nothing there" gives 6 "nothing is attached" port -p 3
	ok "detach, nothing there" gives 6 "nothing is attached" detach -p 3
	ok "detach --all, nothing there" gives 0 "" detach --all
fi
"$prog" list $at >/dev/full 2>"$dir/out"
ok "a full disk is told" [ $? = 1 ]
done_testing

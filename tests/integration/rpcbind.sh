#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A service registered with a real rpcbind, in namespaces of its own: seen by
# rpcinfo and by libtirpc's client, registered again when rpcbind restarts,
# unregistered at the end; and look-ups.
. "$top_srcdir/tests/lib.sh"
PATH=$PATH:/usr/sbin:/sbin
requires rpcbind
requires rpcinfo
requires unshare
requires ip
here=$top_builddir/tests/integration
prog=536874152

if [ -z "$RPCBIND_TEST_INSIDE" ]; then
	requires_root	# rpcbind changes to a user of its own
	unshare -m -n -p -f true 2>/dev/null || skip_all "needs namespaces"
	RPCBIND_TEST_INSIDE=1 exec timeout -k 5 120 \
		unshare -m -n -p -f --mount-proc --kill-child sh "$0"
fi

mount -t tmpfs tmpfs /run || skip_all "cannot mount /run"
ip link set lo up
tmp=$(mktemp -d /run/test.XXXXXX)

start_rpcbind() {
	rpcbind -f 2>/dev/null &
	rpcbind_pid=$!
	eventually test -S /run/rpcbind.sock
}
stop_rpcbind() {
	kill -9 $rpcbind_pid
	wait $rpcbind_pid 2>/dev/null
	rm -f /run/rpcbind.sock
}
eventually() { # COMMAND...: true within ten seconds
	for i in $(seq 50); do
		"$@" && return
		sleep 0.2
	done
	return 1
}
registered() { rpcinfo 127.0.0.1 2>/dev/null | grep -q "^ *$prog .* $1 "; }
not_registered() { ! rpcinfo 127.0.0.1 2>/dev/null | grep -q "^ *$prog "; }
find_is() { # EXPECTED HOST PORT PROGRAM MS
	expected=$1; shift
	found=$($here/engine-host find "$@" 2>>$tmp/find.log)
	[ "$found" = "$expected" ] || { echo "# found: $found"; false; }
}
logged() { [ "$(grep -c "$2" $tmp/log)" = "$1" ]; }

$here/engine-host serve >$tmp/port 2>$tmp/log &
host_pid=$!
eventually test -s $tmp/port
port=$(cat $tmp/port)
sleep 1
ok "starts without rpcbind, and says so once" logged 1 "rpcbind is not there"
ok "look-up without rpcbind" find_is "no rpcbind" 127.0.0.1 111 $prog 8000
ok "look-up where there is no route" find_is "no host" 192.0.2.1 111 $prog 8000

start_rpcbind
ok "registers on tcp when rpcbind comes" eventually registered tcp
ok "registers on tcp6" eventually registered tcp6
ok "registers on udp" eventually registered udp
ok "registers on udp6" eventually registered udp6
ok "rpcinfo -t" rpcinfo -t 127.0.0.1 $prog 1
ok "rpcinfo -T tcp6" rpcinfo -T tcp6 ::1 $prog 1
ok "rpcinfo -u" rpcinfo -u 127.0.0.1 $prog 1
ok "rpcinfo -T udp6" rpcinfo -T udp6 ::1 $prog 1
ok "rpcinfo -p" sh -c "rpcinfo -p 127.0.0.1 | grep -q '$prog *1 *tcp *$port'"
ok "libtirpc's client through rpcbind" sh -c \
	"timeout 60 $here/stock-client 127.0.0.1 >$tmp/stock || { sed 's/^/# /' $tmp/stock; false; }"
ok "look-up" find_is "found 127.0.0.1 $port" 127.0.0.1 111 $prog 8000
ok "look-up over IPv6" find_is "found ::1 $port" ::1 111 $prog 8000
ok "look-up for UDP" find_is "found 127.0.0.1 $port" 127.0.0.1 111 $prog 8000 udp
ok "look-up for UDP over IPv6" find_is "found ::1 $port" ::1 111 $prog 8000 udp
ok "look-up of what is not there" find_is "not registered" 127.0.0.1 111 99999 8000
ok "look-up where something else listens" find_is "no rpcbind" 127.0.0.1 $port $prog 8000
kill -STOP $rpcbind_pid
ok "look-up with a deadline" find_is "timed out" 127.0.0.1 111 $prog 300
kill -CONT $rpcbind_pid

# As if it served no datagrams.
rpcinfo -T udp -d $prog 1
rpcinfo -T udp6 -d $prog 1
ok "a controller is told what serves TCP only" sh -c \
	"$top_builddir/client/usbip-rpc list --udp 127.0.0.1 2>&1 |
	 grep -q 'serves TCP only: leave out --udp'"

stop_rpcbind
start_rpcbind
ok "registers again when rpcbind restarts" eventually registered tcp
ok "on tcp6 as well" eventually registered tcp6
stop_rpcbind
sleep 3
start_rpcbind
ok "and again after it was away for long" eventually registered tcp6

# What a killed service left is replaced.
kill -9 $host_pid
wait $host_pid 2>/dev/null
ok "a killed service stays registered" registered tcp
: >$tmp/port
$here/engine-host serve >$tmp/port 2>$tmp/log &
host_pid=$!
eventually test -s $tmp/port
port=$(cat $tmp/port)
eventually logged 2 "registered with"
ok "the next one takes its place" find_is "found 127.0.0.1 $port" 127.0.0.1 111 $prog 8000

# A second one takes the registration; the first does not take it away again.
$here/engine-host serve >$tmp/port2 2>$tmp/log2 &
second_pid=$!
eventually test -s $tmp/port2
eventually grep -q "registered with.*tcp6" $tmp/log2
ok "a second service says what it replaces" \
	grep -q "rpcbind had .* for tcp: replaced" $tmp/log2
kill $host_pid
ok "SIGTERM ends it" wait $host_pid
ok "and the second is still registered" \
	find_is "found 127.0.0.1 $(cat $tmp/port2)" 127.0.0.1 111 $prog 8000
host_pid=$second_pid
kill $host_pid
ok "SIGTERM ends that, too" wait $host_pid
ok "unregistered at the end" not_registered
kill $rpcbind_pid
done_testing

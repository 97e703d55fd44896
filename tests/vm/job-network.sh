# SPDX-License-Identifier: GPL-2.0-or-later
# A bad network under a disk and a serial line: it delays, loses and reorders; it
# is cut, one way and both ways; connections are killed, and both ends stand still,
# again and again. No driver notices, until the link is down for longer than the
# lease: then both sides do.
. /lab/session.sh
. /lab/faults-lib.sh

service_port=3241
kills=$((50 * lab_times))

unnoticed() { # NAME
	ok "$1: the load goes on" load_goes_on
	ok "$1: the lines go on" lines_go_on
}

lines_go_on() {
	local before
	before=$(wc -l </tmp/lines.in)
	until_true 30 eval '[ "$(wc -l </tmp/lines.in)" -gt "$before" ]'
}

# ---- a bad link -------------------------------------------------------------

link_is_bad() {
	local what="netem delay 30ms 10ms loss 2% reorder 10% 50%"
	tc qdisc replace dev eth0 root $what
	on target "tc qdisc replace dev eth0 root $what"
	sleep 5
	unnoticed "delay, loss and reordering"
	tc qdisc del dev eth0 root
	on target 'tc qdisc del dev eth0 root'
}

# ---- cuts -------------------------------------------------------------------

link() { # on|off: the cable, at both ends
	host monitor controller set_link n "$1" >/dev/null
	host monitor target set_link n "$1" >/dev/null
}

# What leaves a guest is lost. Nobody can be told by then to mend it.
cut='tc qdisc replace dev eth0 root netem loss 100%
	sleep 10; tc qdisc del dev eth0 root; echo 1 >/tmp/cut'

is_mended() {
	[ -s /tmp/cut ] || on target 'test -s /tmp/cut'
}

link_is_cut() {
	eval "$cut"
	unnoticed "cut on the way there, for 10 s"
	rm /tmp/cut
	on target "spawn cut sh -c '$cut'"
	until_true 30 is_mended
	unnoticed "cut on the way back, for 10 s"
	link off
	sleep 10
	link on
	unnoticed "unplugged for 10 s"
}

# ---- killed connections -----------------------------------------------------

# At random moments, and so in the middle of records: connections are killed, and
# who has them stands still. How many there were goes to a file.
killer() { # PROGRAM FILTER
	cat <<-EOT
		some() { usleep \$((\$(od -An -N2 -tu2 /dev/urandom) * \$1)); }
		n=0
		for i in \$(seq $kills); do
			some 4
			n=\$((n + \$(ss -HKtn state connected '$2' | wc -l)))
			some 1
			kill -STOP \$(pidof $1)
			some 2
			kill -CONT \$(pidof $1)
		done
		echo \$n >/tmp/killed
	EOT
}

n_killed() { echo $(($(cat /tmp/killed) + $(on target cat /tmp/killed))); }

connections_are_killed() {
	on target "$(killer usbip-rpcd "sport = :$service_port")" >/dev/null &
	eval "$(killer usbip-rpc "dport = :$service_port")"
	wait $!
	ok "$(n_killed) connections killed, at both ends" \
		[ "$(n_killed)" -ge $kills ]
	unnoticed "connections killed"
	note "$(usbip-rpc port | grep reconnects)"
}

# ---- silence ----------------------------------------------------------------

connected() {
	ss -Htn state established "dport = :$service_port" | grep .
}

# In the target's /tmp/silence, seconds since its last word from here: until the
# session was over, and until there was no connection.
look="port=$service_port"'; . /lab/guest.sh
	up() { cut -d. -f1 /proc/uptime; }
	unplugged() { [ "$(cat /sys/class/net/eth0/carrier)" = 0 ]; }
	connected() { ss -Htn state established "sport = :$port" | grep .; }
	until_true 20 unplugged
	began=$(up)
	until_true 60 grep -q "its lease ran out" /tmp/usbip-rpcd.log
	over=$(($(up) - began))
	until_true 60 not connected
	echo $over $(($(up) - began)) >/tmp/silence'

# Nothing is to be sent but what keeps watch, and all of a sudden there is nobody
# at the other end: a session is over with its lease, and a connection is given up
# 20 s (stream.c) after something was due on it, which is the end of the lease here.
peer_is_silent() {
	local began
	unshare_all
	share --lease 5 --port $service_port
	from_here
	ok "silence: a disk" take_disk || return
	spawn watching sh -c 'echo $$ >/tmp/watch.pid
		exec usbip-rpc list target --watch --json >/tmp/watch 2>&1'
	until_true 20 grep -q '"event"' /tmp/watch
	on target "spawn look sh -c '$look'"
	link off
	began=$(cut -d. -f1 /proc/uptime)
	ok "silence: the device is unplugged here" until_true 20 not here $stick
	ok "silence: and it is said why" \
		here_is_said 'is gone: .*lost for longer than the lease'
	ok "silence: no connection is left here" \
		until_true 30 not connected
	ok "silence: list --watch says so" \
		until_true 10 grep -q '"event":"disconnected"' /tmp/watch
	kill "$(cat /tmp/watch.pid)"
	# as long as the other side may take, which can not be asked now
	until_true $((began + 30 - $(cut -d. -f1 /proc/uptime))) false
	link on
	ok "silence: the target has noticed, too" until_true 40 \
		on target 'test -s /tmp/silence'
	note "seconds: $(on target cat /tmp/silence)"
	ok "silence: in time" on target \
		'awk "{ exit !(\$1 <= 10 && \$2 <= 28) }" /tmp/silence'
	ok "silence: and works again" take_disk
	detach
	ok "silence: nothing is left" nothing_left
}

modprobe -q sch_netem && modprobe -q tcp_diag || {
	skip "a bad network" "this kernel has no netem, or kills no connection"
	exit 0
}
begin_faults --lease 15 --port $service_port
ok "a disk" take_disk || give_up "no disk"
ok "a serial line" take_line || give_up "no line"
ok "the load begins" load_begins
lines_begin
link_is_bad
link_is_cut
connections_are_killed
load_ends
ok "the load has noticed nothing" load_is 0
ok "all lines have come" lines_end
ok "whole and in order" lines_are_whole 100
sed 's/^/# /' /tmp/ok.out
exec 7>&-
ok "detach" usbip-rpc detach --all
ok "nothing is left" nothing_left
peer_is_silent
end_faults

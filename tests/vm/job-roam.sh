# SPDX-License-Identifier: GPL-2.0-or-later
# Both ends get another address, and the cable is out for a while, under a disk
# and a serial line: by a connection, and by datagrams. No driver notices.
. /lab/session.sh
. /lab/faults-lib.sh

move='ip addr flush dev eth0; ip addr add $at dev eth0'

controller_moves() { # ADDRESS
	local at=$1/24
	eval "$move"
}

# Whose name is what the controller asks for.
target_moves() { # ADDRESS
	on target "at=$1/24; spawn move sh -c \"sleep 1; $move\""
	sed -i "s/^.*target\$/$1	target/" /etc/hosts
	until_true 20 on target true
}

wire() { ip link set eth0 "$1"; }

wire_is_out() {
	wire down
	sleep 20
	wire up
}

both_move() {
	target_moves 10.9.0.1
	controller_moves 10.9.0.2
}

reconnects() {
	usbip-rpc port -p "$disk_port" |
		sed -n 's/.*connected over '$proto' for .*, \([0-9]*\) reconnects$/\1/p'
}

is_back() { # RECONNECTS-BEFORE
	local n
	n=$(reconnects)
	[ "${n:-0}" -gt "$1" ]
}

lines_go_on() {
	local before
	before=$(wc -l </tmp/lines.in)
	until_true 40 eval '[ "$(wc -l </tmp/lines.in)" -gt "$before" ]'
}

# unnoticed NAME COMMAND...: what breaks the connection
unnoticed() {
	local name="$proto: $1" before; shift
	before=$(reconnects)
	"$@"
	ok "$name: it is back" until_true 40 is_back "$before"
	ok "$name: the load goes on" load_goes_on
	ok "$name: the lines go on" lines_go_on
	note "$(usbip-rpc port -p "$disk_port" | grep -o 'connected.*')"
}

roam() { # PROTO
	proto=$1
	attach_options="--proto $proto"
	ok "$proto: a disk" take_disk || give_up "no disk"
	ok "$proto: a serial line" take_line || give_up "no line"
	ok "$proto: the load begins" load_begins
	lines_begin
	unnoticed "the controller moves" controller_moves 10.9.0.3
	unnoticed "the target moves" target_moves 10.9.0.5
	unnoticed "20 s without a wire" wire_is_out
	unnoticed "both move at once" both_move
	load_ends
	ok "$proto: the load has noticed nothing" load_is 0
	ok "$proto: all lines have come" lines_end
	ok "$proto: whole and in order" lines_are_whole 100
	sed 's/^/# /' /tmp/ok.out
	exec 7>&-
	ok "$proto: detach" usbip-rpc detach --all
	ok "$proto: nothing is left" nothing_left
}

begin_faults
roam tcp
roam udp
end_faults

# SPDX-License-Identifier: GPL-2.0-or-later
# A part of the whole dies, stands still or is at its limits: what the user sees
# of it, what goes on, and that nothing is left behind.
. /lab/session.sh
. /lab/faults-lib.sh

start_service() {
	on target "spawn usbip-rpcd usbip-rpcd -f --lease 3"
	until_true 20 rpcinfo -t target $program 1
}

with_service() { # SIGNAL
	on target "kill -$1 \$(pidof usbip-rpcd)"
}

attach_keyboard() {
	usbip-rpc attach -r target -b "$keyboard_there"
}

# A device that has no part in the fault: attached, and given back.
works_again() {
	until_true 20 attach "$keyboard_there" || attach "$keyboard_there" ||
		return
	detach
}

# fault NAME: what the points from here on are about
fault() {
	fault=$1
	note "$fault"
	from_here
}

begin() { # NAME
	fault "$1"
	ok "$fault: a disk" take_disk || return
	ok "$fault: under load" load_begins
}

# A command fails, and what it says is for whoever reads this, too.
says() { # NAME PATTERN COMMAND...
	local name=$1; shift
	ok "$fault: $name says so" fails_saying "$@"
	sed 's/^/# /' /tmp/ok.out
}

# What no driver may notice.
goes_on() {
	ok "$fault: the load goes on" load_goes_on
}

unnoticed() {
	goes_on
	load_ends
	ok "$fault: the load has noticed nothing" load_is 0
	ok "$fault: detach" usbip-rpc detach -p "$disk_port"
	ok "$fault: nothing is left" nothing_left
}

# The device is lost: for every driver at once, and with a reason.
lost() { # VID:PID REASON
	ok "$fault: the device is unplugged here" until_true 25 not here "$1"
	ok "$fault: and it is said why" here_is_said "is gone: .*($2)"
}

load_lost() { # REASON
	lost $stick "$1"
	load_ends
	ok "$fault: the load ends, with errors and no wrong data" load_is some
	ok "$fault: nothing is left" nothing_left
	ok "$fault: it works again" works_again
}

# ---- what stands still ------------------------------------------------------

pauses() {
	fault "usbip-rpcd stopped for 1 s"
	on target 'kill -STOP $(pidof usbip-rpcd); sleep 1
		kill -CONT $(pidof usbip-rpcd)'
	goes_on
	fault "helper stopped for 1 s"
	kill -STOP "$helper"
	sleep 1
	kill -CONT "$helper"
	goes_on
}

service_stands_still() {
	begin "usbip-rpcd stopped" || return
	with_service STOP
	says attach 'does not answer' \
		usbip-rpc attach -r target -b 1-1 --timeout 3
	says list 'does not answer|no answer' \
		usbip-rpc list -r target
	ok "$fault: the device is unplugged here" until_true 25 not here $stick
	with_service CONT
	load_lost 'lost for longer than the lease|lease ran out'
}

# A driver that closes its device wants its URBs back, whoever stands still.
line_closes() {
	kill $lines_reader
	exec 7>&-
	until_true 30 not kill -0 $lines_reader
}

helper_stands_still() {
	local began
	fault "helper stopped"
	ok "$fault: a serial line" take_line || return
	cat <&7 >/dev/null &
	lines_reader=$!
	helper=$(helper_of "$line_port")
	kill -STOP "$helper"
	ok "$fault: the target takes the device back" until_true 20 eval \
		'! usbip-rpc list -r target | grep -qi claimed'
	ok "$fault: and says why" there_is_said 'its lease ran out'
	says port \
		"helper of port $line_port does not answer.*kill -9 $helper" usbip-rpc port
	began=$(cut -d. -f1 /proc/uptime)
	ok "$fault: the driver has its URBs back" line_closes
	note "after $(($(cut -d. -f1 /proc/uptime) - began)) s"
	says detach \
		"helper of port $line_port does not answer.*kill -9 $helper" \
		usbip-rpc detach -p "$line_port"
	kill -CONT "$helper"
	lost $adapter "lease ran out"
	ok "$fault: nothing is left" nothing_left
}

# ---- what dies --------------------------------------------------------------

rpcbind_dies() {
	fault "rpcbind killed"
	on target 'kill -9 $(pidof rpcbind)'
	says attach \
		'no rpcbind at target.*--tcp-port' attach_keyboard
	goes_on
	on target rpcbind
	ok "$fault: started anew, it knows the service" \
		until_true 20 rpcinfo -t target $program 1
	ok "$fault: it works again" works_again
}

service_dies() {
	begin "usbip-rpcd killed" || return
	with_service KILL
	says attach \
		'is usbip-rpcd running there' attach_keyboard
	start_service
	load_lost 'was its service restarted'
}

# ---- what is used up --------------------------------------------------------

limit_service() { # RESOURCE=LIMIT: in shell text of the target
	on target "p=\$(pidof usbip-rpcd); prlimit --pid \$p $1"
}

# None for a connection, and none for a device.
descriptors_run_out() {
	local more
	for more in 0 1; do
		fault "usbip-rpcd with $more descriptors left"
		limit_service "--nofile=\$((\$(ls /proc/\$p/fd |
			sort -n | tail -n 1) + 1 + $more)):"
		says attach \
			'closed the connection before|see its log' attach_keyboard
		ok "$fault: the target says why" \
			there_is_said 'Too many open files|out of memory'
		goes_on
	done
	limit_service "--nofile=1024:"
	ok "$fault: it works again" works_again
}

# What it has is what it gets.
as_it_is='--as=$(($(cut -d" " -f1 /proc/$p/statm) * 4096)):'

works_or_says() {
	attach "$keyboard_there" && detach && return
	echo "$attach_out" | grep -E 'see its log|closed the connection' &&
		there_is_said 'can not be claimed|could not be claimed|out of memory'
}

memory_runs_out() {
	local p
	fault "no memory for usbip-rpcd"
	ok "$fault: a disk" take_disk || return
	limit_service "$as_it_is"
	ok "$fault: under load" load_begins
	ok "$fault: attach works, or says why" works_or_says
	sed 's/^/# /' /tmp/ok.out
	limit_service "--as=unlimited:"
	ok "$fault: it works again" works_again
	unnoticed
	fault "no memory for the helper"
	ok "$fault: a disk" take_disk || return
	p=$helper
	eval prlimit --pid "$helper" "$as_it_is"
	ok "$fault: under load" load_begins
	goes_on
	prlimit --pid "$helper" --as=unlimited:
	unnoticed
}

disk_is_full() {
	fault "/run is full"
	mount -o "remount,nr_inodes=$(df -i /run | awk 'END { print $3 }')" /run
	says attach \
		'control socket in /run/usbip-rpc: No space left' \
		attach_keyboard
	ok "$fault: port works" usbip-rpc port -p "$disk_port"
	goes_on
	mount -o remount,nr_inodes=100000 /run
	ok "$fault: it works again" works_again
}

# Who is killed leaves a note of what it had, which must not need any room.
targets_disk_is_full() {
	on target 'mkdir -p /run/usbip-rpcd
		mount -t tmpfs -o size=4k notes /run/usbip-rpcd
		head -c 4096 /dev/zero >/run/usbip-rpcd/.full'
	begin "usbip-rpcd killed, and its /run is full" || return
	ok "$fault: it is" not on target 'echo >/run/usbip-rpcd/.more'
	with_service KILL
	start_service
	load_lost 'was its service restarted'
	on target 'umount /run/usbip-rpcd'
}

begin_faults --lease 3
until_true 20 there $keyboard
keyboard_there=$(there $keyboard)
begin "a disk, and nothing else" && {
	pauses
	rpcbind_dies
	descriptors_run_out
	disk_is_full
	unnoticed
}
service_stands_still
helper_stands_still
service_dies
targets_disk_is_full
memory_runs_out
end_faults

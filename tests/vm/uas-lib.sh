# SPDX-License-Identifier: GPL-2.0-or-later
#
# The verbs of a lab job that has a disk at the driver `uas`, on top of
# session.sh. $id is what `here` calls it, $name what its test points do.

# find_disk: $disk, when it is there and has its size
find_disk() {
	until_true 30 eval 'disk=$(disk_of $(here '"$id"')) &&
		[ -b /dev/$disk ] && [ "$(cat /sys/block/$disk/size)" -gt 0 ]'
}

driver() { basename "$(readlink "$(here "$id")"/*:1.0/driver)"; }
can_queue() { cat "$(here "$id")"/*:1.0/host*/scsi_host/host*/can_queue; }

load() { # OPTION...: exit status of diskload, which says what was wrong
	timeout 240 /lab/diskload "$@" "/dev/$disk" >/tmp/load.out 2>&1
	load_rc=$?
	cat /tmp/load.out
	return $load_rc
}
most() { sed -n 's/.* most //p' /tmp/load.out; }

# Errors there may be, wrong data never.
no_wrong_data() {
	cat /tmp/load.out
	grep -q '^wrong 0 ' /tmp/load.out
}

many_commands() { # AT-LEAST [OPTION...]
	local least=$1; shift
	ok "$name: 32 threads, and every byte is right" load "$@"
	ok "$name: $(most) commands were at the device at once" \
		[ "$(most)" -ge "$least" ]
}

busy() { [ "$(awk '{ print $1 + $2 }' "/sys/block/$disk/inflight")" -gt 1 ]; }

# The commands that busy sees may be somebody else's: diskload must have the
# disk open before it is taken away.
load_begins() {
	rm -f /tmp/load.out
	load -n 1000000 >/dev/null &
	load_pid=$!
	until_true 30 grep -q '^# begun' /tmp/load.out
	until_true 30 busy
}

load_ends() {
	kill $(pidof diskload) 2>/dev/null
	wait $load_pid
}

resets() { # all commands are taken back, the device is reset, they come again
	local i
	load_begins
	for i in 1 2 3; do
		until_true 10 busy
		ok "$name: reset $i under load" /lab/diskload --reset "/dev/$disk"
	done
	load_ends
	ok "$name: which the load does not notice" load_says 0
}

load_says() { # ERRORS
	cat /tmp/load.out
	grep -q "^wrong 0 errors $1 " /tmp/load.out
}

# The driver lets go of the device under load, and takes it again.
unbinds() {
	local interface=$(basename "$(here "$id")"/*:1.0)
	load_begins
	ok "$name: unbound under load" timeout 60 sh -c \
		"echo $interface >/sys/bus/usb/drivers/uas/unbind"
	wait $load_pid
	ok "$name: the load ends, with errors" no_wrong_data
	ok "$name: bound again" sh -c \
		"echo $interface >/sys/bus/usb/drivers/uas/bind"
	ok "$name: there is a disk" find_disk
	ok "$name: and it works" load -n 5
}

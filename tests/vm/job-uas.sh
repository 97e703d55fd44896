# SPDX-License-Identifier: GPL-2.0-or-later
# A disk that speaks UAS, at SuperSpeed over bulk streams and at high speed
# without: many commands at once, and what may go wrong under them. QEMU's has
# 16 streams, of which the driver keeps two back.
. /lab/session.sh

target_sum() { # VID:PID/SERIAL FILE: as the target itself reads it
	on target "mount -t vfat -o ro /dev/$(target_disk_of "$1") /mnt &&
		sha256sum </mnt/$2; umount /mnt"
}

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

many_commands() { # AT-LEAST
	ok "$name: 32 threads, and every byte is right" load
	ok "$name: $(most) commands were at the device at once" \
		[ "$(most)" -ge "$1" ]
}

file_system() {
	local sum
	mkfs.vfat "/dev/$disk" >/dev/null
	ok "$name: mount" mount -t vfat "/dev/$disk" /mnt || return
	head -c 8000000 /dev/urandom >/mnt/new.bin
	sum=$(sha256sum </mnt/new.bin)
	ok "$name: umount, so that it is on the device" umount /mnt
	echo 3 >/proc/sys/vm/drop_caches
	mount -t vfat "/dev/$disk" /mnt
	is "$name: read it back from the device" "$(sha256sum </mnt/new.bin)" "$sum"
	umount /mnt
	file_sum=$sum
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

# The device takes longer than the driver waits: abort, then reset.
time_outs() {
	dmesg -C
	echo 2 >"/sys/block/$disk/device/timeout"
	host monitor target block_set_io_throttle d-uas 0 0 0 2 0 0
	load_begins
	ok "$name: commands time out and are aborted" \
		until_true 60 eval 'dmesg | grep -q uas_eh_abort_handler'
	ok "$name: and the device is reset" \
		until_true 60 eval 'dmesg | grep -q uas_eh_device_reset_handler'
	host monitor target block_set_io_throttle d-uas 0 0 0 0 0 0
	load_ends
	ok "$name: nothing wrong was read or written" no_wrong_data
	echo 30 >"/sys/block/$disk/device/timeout"
	ok "$name: then it works as before" load -n 10
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
	ok "$name: and it works" load -n 10
}

uas() { # NAME SPEED COMMANDS
	name=$1 id=46f4:0003/LAB-$1
	until_true 20 target_disk_of "$id"
	ok "$name: attach" attach "$(there "$id")" || return
	ok "$name: there is a disk" find_disk || { detach; return; }
	is "$name: at its speed" "$(cat "$(here "$id")/speed")" "$2"
	is "$name: its driver" "$(driver)" uas
	is "$name: which takes so many commands" "$(can_queue)" "$3"
	many_commands $(($3 / 2 + 2))
	resets
	# without streams QEMU's device gives a new driver the statuses that
	# the one before it did not fetch; without us, too
	[ "$2" = 480 ] || unbinds
	[ "$2" = 480 ] || time_outs
	file_system
	ok "$name: detach" detach
	ok "$name: the target's own driver has it back" \
		until_true 20 target_disk_of "$id"
	is "$name: and reads what was written here" \
		"$(target_sum "$id" new.bin)" "$file_sum"
}

# The cable is pulled with streams and commands under way.
pulled() {
	id=46f4:0003/LAB-uas name=uas
	ok "pulled: attach" attach "$(there "$id")" || return
	ok "pulled: there is a disk" find_disk || return
	load_begins
	host monitor target device_del uas
	ok "pulled: the disk goes" until_true 20 not here "$id"
	wait $load_pid
	ok "pulled: the load ends, with errors" no_wrong_data
}

modprobe usbip-rpc-vhci
share
uas uas 5000 14
uas uas-hs 480 30
pulled

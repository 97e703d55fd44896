# SPDX-License-Identifier: GPL-2.0-or-later
# A disk that speaks UAS, at SuperSpeed over bulk streams and at high speed
# without: many commands at once, and what may go wrong under them. QEMU's has
# 16 streams, of which the driver keeps two back; job fake-uas has more.
. /lab/session.sh
. /lab/uas-lib.sh

target_sum() { # VID:PID/SERIAL FILE: as the target itself reads it
	on target "mount -t vfat -o ro /dev/$(target_disk_of "$1") /mnt &&
		sha256sum </mnt/$2; umount /mnt"
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

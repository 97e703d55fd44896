# SPDX-License-Identifier: GPL-2.0-or-later
# The main job: a stick with a file system, at SuperSpeed and at high speed.
. /lab/session.sh

target_sum() { # VID:PID/SERIAL FILE: as the target itself reads it
	on target "mount -t vfat -o ro /dev/$(target_disk_of "$1") /mnt &&
		sha256sum </mnt/$2; umount /mnt"
}

mounted_sum() { # FILE
	sha256sum <"/mnt/$1"
}

storage() { # NAME SPEED
	local id=46f4:0001/LAB-$1 want disk sum
	until_true 15 target_disk_of "$id"
	want=$(target_sum "$id" data.bin)
	ok "$1: attach" attach "$(there "$id")" || return
	until_true 15 eval 'disk_of $(here '"$id"')'
	disk=$(disk_of "$(here "$id")")
	ok "$1: there is a disk" [ -b "/dev/$disk" ] || { detach; return; }
	is "$1: at its speed" "$(cat "$(here "$id")/speed")" "$2"
	ok "$1: mount" mount -t vfat "/dev/$disk" /mnt || { detach; return; }
	is "$1: a file is the same on both machines" \
		"$(mounted_sum data.bin)" "$want"
	head -c 8000000 /dev/urandom >/tmp/new.bin
	sum=$(sha256sum </tmp/new.bin)
	ok "$1: write 8 MB" cp /tmp/new.bin /mnt/new.bin
	ok "$1: umount, so that it is on the device" umount /mnt
	echo 3 >/proc/sys/vm/drop_caches
	mount -t vfat "/dev/$disk" /mnt
	is "$1: read it back from the device" "$(mounted_sum new.bin)" "$sum"
	umount /mnt
	ok "$1: detach" detach
	ok "$1: the disk goes" until_true 10 not here "$id"
	ok "$1: the target's own driver has it back" \
		until_true 15 target_disk_of "$id"
	is "$1: and reads what was written here" \
		"$(target_sum "$id" new.bin)" "$sum"
	rm -f /tmp/new.bin
}

modprobe usbip-rpc-vhci
share
storage stick-ss 5000
storage stick-hs 480

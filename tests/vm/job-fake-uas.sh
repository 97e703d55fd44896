# SPDX-License-Identifier: GPL-2.0-or-later
# A disk that speaks UAS with 32 streams, more than QEMU's has: usbip-rpcd's own
# fake one. Commands overtake each other, one of them hangs for good, and the
# driver is taken away from under them; at high speed without streams, too.
. /lab/session.sh
. /lab/uas-lib.sh

FAULT=0xe1 HANG=5 DELAY=0xe2 COUNTS=0xe5 STATUS_PIPE=0x81

fake() { /lab/fake "$(node_of "$(here "$id")")" "$@"; }

# What the device itself sees: however slow this machine is, it is slower.
counts() {
	fake tell $DELAY 300 $STATUS_PIPE
	ok "$name: a short load on a slow disk" load -n 2
	fake tell $DELAY 0 $STATUS_PIPE
	set -- $(fake ask $COUNTS 3)
	note "$name: $1 commands, $2 at once, $3 ended before an earlier one"
	ok "$name: as the device saw it, $2 were there at once" [ "$2" -ge 16 ]
	ok "$name: and some overtook others" [ "$3" -gt 0 ]
}

# A status that never comes: the driver waits, aborts, and resets the device.
hang() {
	local limit=4
	# or commands that do not hang are given up, too
	[ "$lab_kernel" != kasan ] || limit=20
	dmesg -C
	echo $limit >"/sys/block/$disk/device/timeout"
	load_begins
	ok "$name: one command hangs" fake tell $FAULT $HANG $STATUS_PIPE
	ok "$name: it times out and is aborted" \
		until_true 60 eval 'dmesg | grep -q uas_eh_abort_handler'
	ok "$name: and the device is reset" until_true 60 eval \
		'dmesg | grep -q "uas_eh_device_reset_handler success"'
	echo 30 >"/sys/block/$disk/device/timeout"
	load_ends
	ok "$name: which the load does not notice" load_says 0
}

fake_uas() { # NAME BUSID SPEED COMMANDS
	name=$1 id=46f4:0003/$1
	ok "$name: attach" attach "$2" || return
	ok "$name: there is a disk" find_disk || { detach; return; }
	is "$name: at its speed" "$(cat "$(here "$id")/speed")" "$3"
	is "$name: its driver" "$(driver)" uas
	is "$name: which takes so many commands" "$(can_queue)" "$4"
	many_commands 16 -n 5
	# below super speed data goes one after the other: so slow is too slow
	[ "$3" = 480 ] || counts
	resets
	unbinds
	hang
	ok "$name: then it works as before" load -n 2
	ok "$name: detach" detach
}

modprobe usbip-rpc-vhci
on target 'echo "device 2-1 uas serial=FAKE-SS size=32
	device 1-1 uas speed=high serial=FAKE-HS size=32" >/tmp/script'
share --backend fake:/tmp/script
fake_uas FAKE-SS 2-1 5000 30
fake_uas FAKE-HS 1-1 480 30
unshare_all

# SPDX-License-Identifier: GPL-2.0-or-later
# A stick, a serial line and a keyboard by datagrams, while the network, both ways,
# loses some of them, doubles some, delays all and changes their order.
. /lab/session.sh
. /lab/faults-lib.sh

size=2097152
attach_options=--udp

target_sum() { # FILE: as the target itself reads it
	on target "mount -t vfat -o ro /dev/$(target_disk_of $stick) /mnt &&
		sha256sum </mnt/$1; umount /mnt"
}

# /bin/tc is busybox's, and knows no netem
bad_network() {
	local what="/sbin/tc qdisc replace dev eth0 root netem limit 10000"
	what="$what delay 30ms 10ms loss 5% reorder 10% duplicate 2%"
	$what && on target "$what"
}

good_network() {
	/sbin/tc qdisc del dev eth0 root &&
		on target /sbin/tc qdisc del dev eth0 root
}

lost() {
	/sbin/tc -s qdisc show dev eth0 | sed -n 's/.*dropped \([0-9]*\),.*/\1/p'
}

seconds() {
	cut -d. -f1 /proc/uptime
}

errors() {
	dmesg | grep -c 'I/O error\|Medium Error\|reset .* USB device'
}

storage() {
	local disk sum
	until_true 15 target_disk_of $stick
	ok "attach a stick" attach "$(there $stick)" || return
	ok "over UDP" eval "usbip-rpc port --json | grep -q '\"transport\": \"udp\"'"
	until_true 30 eval 'disk_of $(here '$stick')'
	disk=$(disk_of "$(here $stick)")
	ok "there is a disk" [ -b "/dev/$disk" ] || { detach; return; }
	ok "make a file system" mkfs.vfat "/dev/$disk"
	ok "mount" mount -t vfat "/dev/$disk" /mnt || { detach; return; }
	head -c $size /dev/urandom >/tmp/new.bin
	sum=$(sha256sum </tmp/new.bin)
	# no task may wait for all of it: that looks like a hang to the kernel
	ok "write $size bytes" dd if=/tmp/new.bin of=/mnt/new.bin bs=64k oflag=direct
	ok "umount, so that it is on the device" umount /mnt
	echo 3 >/proc/sys/vm/drop_caches
	mount -t vfat "/dev/$disk" /mnt
	is "read it back from the device" "$(sha256sum </mnt/new.bin)" "$sum"
	note "$(seconds) s by then"
	umount /mnt
	is "no error, and no reset" "$(errors)" 0
	note "$(usbip-rpc port | grep -v '^ *in' | tr -s ' \n' ' ')"
	ok "detach" detach
	until_true 15 target_disk_of $stick
	is "the target reads what was written here" "$(target_sum new.bin)" "$sum"
}

# struct input_event is 24 bytes; the last eight are type, code, value
events() {
	hexdump -v -e '24/1 "%02x" "\n"' /tmp/keys | cut -c33-
}

press() { # KEY CODE-AS-HEX: down and up have arrived
	host monitor target sendkey "$1" >/dev/null &&
		until_true 10 eval "events | grep -qx 0100${2}0001000000" &&
		until_true 10 eval "events | grep -qx 0100${2}0000000000"
}

keyboard() {
	local node reader
	ok "attach a keyboard" attach "$(there 0627:0001)" || return
	until_true 20 eval 'ls -d $(here 0627:0001)/*/*/input/input*/event*'
	node=$(ls -d "$(here 0627:0001)"/*/*/input/input*/event* | sed 's|.*/||')
	ok "it is an input device" [ -c "/dev/input/$node" ] ||
		{ detach; return; }
	cat "/dev/input/$node" >/tmp/keys &
	reader=$!
	sleep 0.5
	ok "key a arrives" press a 1e
	ok "key z arrives" press z 2c
	ok "return arrives" press ret 1c
	is "each once" "$(events | grep -c '^0100..0001000000')" 3
	kill $reader
	ok "detach the keyboard" detach
}

# What a driver reads is in the order in which its URBs end.
serial() {
	ok "attach a serial adapter" take_line || return
	lines_begin
	sleep 20
	ok "all lines have come" lines_end
	ok "whole and in order, both ways" lines_are_whole 100
	sed 's/^/# /' /tmp/ok.out
	exec 7>&-
	ok "detach the adapter" usbip-rpc detach -p "$line_port"
}

modprobe usbip-rpc-vhci
share
modprobe sch_netem 2>/dev/null || {
	skip "a bad network" "this kernel cannot lose what it sends"
	exit $lab_bad
}
ok "the network is bad" bad_network
storage
serial
keyboard
note "$(lost) datagrams were lost on their way to the target"
ok "some were" [ "$(lost)" -gt 20 ]
ok "and good again" good_network

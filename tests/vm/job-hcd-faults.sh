# SPDX-License-Identifier: GPL-2.0-or-later
# Helpers that stall, keep silent and are killed at any moment: every URB comes
# back, nobody hangs, the port is free again.
. /lab/hcd-lib.sh

seconds() { cut -d. -f1 /proc/uptime; }

# killed under load: bulk URBs queued 32 deep, both ways
kill_under_load() {
	local i pid start slow=0
	for i in $(seq 1 "$1"); do
		emul -s high -d 2 && emul_ready || return
		/lab/testusb "$emul_node" $((27 + i % 2)) 1000000 1024 0 32 \
			>/dev/null 2>&1 &
		pid=$!
		usleep $((200000 + i * 37000))
		kill -9 $emul_pid
		start=$(seconds)
		wait $pid $emul_pid
		[ $(($(seconds) - start)) -le 5 ] || slow=$((slow + 1))
		until_true 15 test ! -e "$emul_dir" || return
	done
	[ $slow = 0 ]
}

kill_while_enumerating() {
	local i
	for i in $(seq 1 "$1"); do
		emul -s "$2" || return
		usleep $((i * 23000))
		kill -9 $emul_pid
		wait $emul_pid
		until_true 15 no_devices || return
	done
}

# An ioctl of usbfs holds the device's lock while its URB is with the helper;
# disconnecting waits for the lock. This is where mainline's vhci_hcd hangs.
die_with_lock_held() {
	local pid start
	emul -s high -f mute && emul_ready || return
	/lab/testusb "$emul_node" 1 1 1024 0 0 >/dev/null 2>&1 &
	pid=$!
	sleep 1
	start=$(seconds)
	kill -9 $emul_pid
	wait $emul_pid $pid
	[ $(($(seconds) - start)) -le 5 ] &&
		until_true 15 test ! -e "$emul_dir"
}

ok "killed under load, 20 times" kill_under_load 20
ok "killed while enumerating, 20 times" kill_while_enumerating 20 high
ok "killed while enumerating, SuperSpeed, 10 times" \
	kill_while_enumerating 10 super
ok "killed with the device's lock held" die_with_lock_held

ok "a mute device: attach" emul -s high -f mute
ok "a mute device: usbtest binds" emul_ready
# 2 s for each of the URBs that are unlinked, one after the other
ok "a mute device: unlinked URBs come back" within 40 \
	/lab/testusb "$emul_node" 11 4 1024 0 0
ok "a mute device: goes" emul_stop

ok "an idle device: attach" emul -s super -f hold
ok "an idle device: usbtest binds" emul_ready
ok "an idle device: URBs are unlinked, 200 times" \
	/lab/testusb "$emul_node" 12 200 1024 0 0
ok "an idle device: goes" emul_stop

ok "a stalling device: attach" emul -s high -f stall
ok "a stalling device: usbtest binds" emul_ready
ok "a stalling device: its driver hears of it" not \
	timeout 20 /lab/testusb "$emul_node" 27 10 1024 0 32
ok "a stalling device: goes" emul_stop

ok "a device that ends amid URBs" emul -s super -f die -n 100
ok "a device that ends: usbtest binds" emul_ready
ok "a device that ends: its driver hears of it" within 10 \
	/lab/testusb "$emul_node" 28 100000 1024 0 32
ok "a device that ends: goes" until_true 15 test ! -e "$emul_dir"

echo 128 >/sys/module/usbcore/parameters/usbfs_memory_mb
tap /lab/hcd-unplug

ok "nobody is stuck" none_stuck
ok "no device is left" until_true 15 no_devices

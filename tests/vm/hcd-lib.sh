# SPDX-License-Identifier: GPL-2.0-or-later
# What the jobs about the module alone share: a device that this guest itself
# answers for (hcd-emul), in place of one that comes over the wire.

# emul ARGUMENT...: attach a device; $emul_pid, and $emul_dir in sysfs
emul() {
	local port
	rm -f /tmp/emul.out
	/lab/hcd-emul "$@" >/tmp/emul.out 2>&1 &
	emul_pid=$!
	until_true 20 grep -q '^port' /tmp/emul.out || return
	port=$(sed -n 's/^port //p' /tmp/emul.out)
	emul_dir=/sys/bus/usb/devices/$port
}

# emul_ready: its driver is there; $emul_node in /dev
emul_ready() {
	until_true 30 test -e "$emul_dir:1.0/driver" || return
	emul_node=$(printf /dev/bus/usb/%03d/%03d "$(cat "$emul_dir/busnum")" \
		"$(cat "$emul_dir/devnum")")
}

# emul_stop: it ends, and has seen nothing wrong
emul_stop() {
	kill "$emul_pid"
	wait "$emul_pid" || { cat /tmp/emul.out; return 1; }
	until_true 15 test ! -e "$emul_dir"
}

# within SECONDS COMMAND...: it ends in that time, well or not
within() {
	local limit=$1; shift
	timeout -s KILL "$limit" "$@" >/tmp/within.out 2>&1
	[ $? -ne 137 ]
}

# Nobody waits where a signal does not reach.
none_stuck() {
	! ps -o stat,comm | grep '^D' | grep -v kworker
}

# devices: how many the module's root hubs have
devices() {
	local d n=0
	for d in /sys/devices/platform/usbip-rpc-vhci.*/usb*/*-*; do
		case $d in
		*:*) ;;
		*) [ ! -e "$d/idVendor" ] || n=$((n + 1)) ;;
		esac
	done
	echo $n
}

no_devices() { [ "$(devices)" = 0 ]; }

modprobe usbtest
modprobe usbip-rpc-vhci

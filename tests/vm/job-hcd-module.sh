# SPDX-License-Identifier: GPL-2.0-or-later
# The module as such: parameters, ports, coming and going.
. /lab/hcd-lib.sh

fill() { # SPEED COUNT
	local i
	for i in $(seq 1 "$2"); do
		/lab/hcd-emul -s "$1" >>/tmp/fill 2>&1 &
	done
	until_true 60 eval "[ \$(grep -c ^port /tmp/fill) = $2 ]"
}

: >/tmp/fill
ok "8 devices in the USB 2 hub" fill high 8
ok "a ninth finds no port" not /lab/hcd-emul -s low
ok "8 devices at once" until_true 60 eval '[ $(devices) = 8 ]'
ok "the module cannot go" not rmmod usbip-rpc-vhci
killall hcd-emul
wait
ok "they all go" until_true 30 no_devices

ok "rmmod" rmmod usbip-rpc-vhci
node=/tmp/node
mknod $node c 10 248
ok "opening the node loads the module" sh -c ": <>$node && lsmod |
	grep -q usbip_rpc_vhci"
rmmod usbip-rpc-vhci
ok "no ports is refused" not modprobe usbip-rpc-vhci ports=0
ok "32 ports are refused" not modprobe usbip-rpc-vhci ports=32
ok "9 controllers are refused" not modprobe usbip-rpc-vhci controllers=9
ok "2 controllers with as many ports as can be" \
	modprobe usbip-rpc-vhci controllers=2 ports=31
is "USB 2 ports" "$(cat /sys/devices/platform/usbip-rpc-vhci.*/usb*/maxchild |
	sort -n | tr '\n' ' ')" "15 15 31 31 "
: >/tmp/fill
ok "16 SuperSpeed devices in two controllers" fill super 16
killall hcd-emul
wait
ok "they all go, too" until_true 60 no_devices

loop() {
	local i
	for i in $(seq 1 20); do
		rmmod usbip-rpc-vhci && modprobe usbip-rpc-vhci || return
		emul -s super && emul_stop || return
	done
}
ok "20 times in and out" loop

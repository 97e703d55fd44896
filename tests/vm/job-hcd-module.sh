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

controllers() { ls -d /sys/devices/platform/usbip-rpc-vhci.* | wc -l; }
refused() { # SPEED
	not /lab/hcd-emul -s "$1" >/tmp/emul.out 2>&1 &&
		grep -q 'No space left' /tmp/emul.out
}

: >/tmp/fill
ok "8 devices in the USB 2 hub" fill high 8
is "of one controller" "$(controllers)" 1
ok "a ninth" emul -s low
is "makes a second one" "$(controllers)" 2
ok "9 devices at once" until_true 60 eval '[ $(devices) = 9 ]'
ok "the module cannot go" not rmmod usbip-rpc-vhci
killall hcd-emul
wait
ok "they all go" until_true 30 no_devices
is "the controllers stay" "$(controllers)" 2
rmmod usbip-rpc-vhci

# all at once: each that finds no port wants another controller
: >/tmp/fill
ok "2 ports, 3 controllers" modprobe usbip-rpc-vhci ports=2 max_controllers=3
for i in $(seq 1 12); do
	{ /lab/hcd-emul -s high 2>/dev/null || echo refused; } >>/tmp/fill &
done
ok "6 of 12 devices find a port" until_true 60 \
	eval '[ $(grep -c ^port /tmp/fill)$(grep -c ^refused /tmp/fill) = 66 ]' ||
	sed 's/^/# /' /tmp/fill
is "in 3 controllers" "$(controllers)" 3
ok "one more is refused" refused full
ok "a SuperSpeed device has its own ports" emul -s super
ok "7 devices at once" until_true 60 eval '[ $(devices) = 7 ]'
killall hcd-emul
wait
ok "they all go, and their ports are free" until_true 30 no_devices
: >/tmp/fill
ok "6 more" fill high 6
killall hcd-emul
wait
until_true 30 no_devices
ok "rmmod" rmmod usbip-rpc-vhci
node=/tmp/node
mknod $node c 10 248
ok "opening the node loads the module" sh -c ": <>$node && lsmod |
	grep -q usbip_rpc_vhci"
rmmod usbip-rpc-vhci
ok "no ports is refused" not modprobe usbip-rpc-vhci ports=0
ok "32 ports are refused" not modprobe usbip-rpc-vhci ports=32
ok "9 controllers are refused" not modprobe usbip-rpc-vhci max_controllers=9
ok "more than there may be, too" not modprobe usbip-rpc-vhci controllers=3 \
	max_controllers=2
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

# SPDX-License-Identifier: GPL-2.0-or-later
# A device is here what it is there: lsusb -v of each on the target, before it
# is attached, and on the controller after, and its speed. What belongs to the
# port and not to the device, its bus and device number, is left out.
. /lab/session.sh

devices() {
	on target 'for d in /sys/bus/usb/devices/[0-9]*-*; do
		[ ! -e $d/idVendor ] || [ "$(cat $d/bDeviceClass)" = 09 ] ||
			echo ${d##*/}
	done'
}

same() { # BUSID
	local id name want got speed
	on target ". /lab/session.sh; said_of /sys/bus/usb/devices/$1" >/tmp/want
	name=$(sed -n 's/^Bus Device: ID //p' /tmp/want)
	ok "$1 $name: attach" attach "$1" || return
	ok "$1: the target said something of it" \
		grep -q bNumConfigurations /tmp/want
	said_of "$(vhci)" >/tmp/got
	ok "$1: $(head -1 /tmp/got), and $(($(wc -l </tmp/got) - 1)) lines of lsusb are the same" \
		diff -U2 /tmp/want /tmp/got
	ok "$1: detach" detach
	until_true 10 eval '[ -z "$(vhci)" ]'
}

# Those behind hubs take their time.
behind_hubs() { devices | grep -cE '^[0-9]+-15\.[0-9.]+$'; }
modprobe usbip-rpc-vhci
share
ok "three devices are behind hubs" until_true 60 eval '[ $(behind_hubs) = 3 ]'
ok "one of them behind two" eval 'devices | grep -q "^[0-9]*-15.1.4$"'
n=0
for d in $(devices); do
	same "$d"
	n=$((n + 1))
done
ok "$n devices" [ "$n" = 10 ]

# SPDX-License-Identifier: GPL-2.0-or-later
# Isochronous transfers from end to end. The device is hcd-emul's: it hangs on
# the module in the target, whose kernel takes it for one like any other, and
# usbip-rpcd gives it to the controller. The kernel's own tests, then each packet
# looked at, both ways, short ones and ones that fail.
. /lab/session.sh

# emulate SPEED ARGUMENT...: in the target
emulate() {
	on target ". /lab/guest.sh; modprobe usbip-rpc-vhci
		spawn emul /lab/hcd-emul -s $*
		until_true 20 grep -q ^port /tmp/emul.log"
}

# emulated_well: it ends, and has seen nothing wrong
emulated_well() {
	on target '. /lab/guest.sh; killall hcd-emul
		until_true 20 grep -q ^submits /tmp/emul.log
		cat /tmp/emul.log
		grep -q "bad-data 0 broken 0" /tmp/emul.log
		rc=$?; rm /tmp/emul.log; exit $rc'
}

# come SPEED WANTED-SPEED: attach it; $node is its node here
come() {
	ok "$1: the device is there" until_true 20 there 0525:a4a0 || return
	ok "$1: attach" attach "$(there 0525:a4a0)" || return
	until_true 20 eval '[ -e $(here 0525:a4a0)/*:1.0/driver ]'
	dev=$(here 0525:a4a0)
	is "$1: its speed" "$(cat "$dev/speed")" "$2"
	node=$(printf /dev/bus/usb/%03d/%03d "$(cat "$dev/busnum")" \
		"$(cat "$dev/devnum")")
}

# leave SPEED
leave() {
	ok "$1: detach" detach
	ok "$1: the device saw no wrong packet" emulated_well
	until_true 20 not there 0525:a4a0
}

tests() { # SPEED WANTED-SPEED
	emulate "$1"
	come "$1" "$2" || return
	# as many packets as hold the length; so many URBs at once
	for args in '15 30 8192 0 8' '16 30 8192 0 8' '22 30 4095 0 8' \
		'23 30 4095 0 8'; do
		ok "$1: usbtest $args" timeout 120 /lab/testusb "$node" $args
	done
	leave "$1"
}

# What the gadget of job-usbtest has no endpoints for.
interrupts() { # SPEED WANTED-SPEED
	emulate "$1"
	come "$1" "$2" || return
	for args in '25 20 64 0 0' '26 20 64 0 0'; do
		ok "$1: usbtest $args" timeout 120 /lab/testusb "$node" $args
	done
	leave "$1"
}

packets() { # SPEED WANTED-SPEED
	emulate "$1" -m
	come "$1" "$2" || return
	ok "$1: isochronous IN, packet by packet" \
		/lab/isoc -m "$node" in 40 32 1001
	note "$(cat /tmp/ok.out)"
	ok "$1: isochronous OUT" /lab/isoc "$node" out 40 32 1001
	usbip-rpc port >/tmp/port
	note "$(grep isochronous /tmp/port)"
	ok "$1: port counts them" grep -q \
		'isochronous: in 1280 packets, out 1280; 80 failed, 0 late' \
		/tmp/port
	leave "$1"
}

modprobe usbip-rpc-vhci
modprobe usbtest
echo 1 >/sys/module/usbtest/parameters/alt
share
tests full 12
tests high 480
tests super 5000
packets full 12
packets high 480
packets super 5000
echo -1 >/sys/module/usbtest/parameters/alt
interrupts high 480
interrupts super 5000

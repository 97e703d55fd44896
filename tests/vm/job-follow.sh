# SPDX-License-Identifier: GPL-2.0-or-later
# A device that becomes another one: by a reset, as after DFU; by itself, as a
# firmware loader's; and where the new one was not asked for.
. /lab/session.sh

gadget_dir=/sys/kernel/config/usb_gadget/ss
product() { on target "echo 0x$1 >$gadget_dir/idProduct"; }
# Off the bus and on it again, as product $1.
rebuild() {
	on target "echo >$gadget_dir/UDC
		echo 0x$1 >$gadget_dir/idProduct
		ls /sys/class/udc | grep dummy | head -1 >$gadget_dir/UDC"
}
reset() { # FOLDER
	usbreset "$(printf %03d/%03d "$(cat "$1/busnum")" "$(cat "$1/devnum")")"
}
state_is() { usbip-rpc port --json | grep -q "\"state\": \"$1\""; }

modprobe usbip-rpc-vhci
share
on target ". /lab/guest.sh; gadget ss high SourceSink"
until_true 20 there 0525:a4a0
bus=$(there 0525:a4a0)
ok "attach" attach "$bus" || give_up "no gadget"
place=$(here 0525:a4a0)
pid=$(pidof usbip-rpc)

product a4a7
reset "$place"
ok "after a reset it is another device" until_true 40 here 0525:a4a7
is "at the same port" "$(here 0525:a4a7)" "$place"
ok "attached" until_true 20 state_is attached
is "configured" "$(cat "$place/bConfigurationValue")" 1
is "by the same helper" "$(pidof usbip-rpc)" "$pid"
reset "$place"
ok "a reset that changes nothing leaves it there" \
	[ "$(here 0525:a4a7)" = "$place" ]

rebuild a4a8
ok "one that leaves by itself is not followed" until_true 20 not pidof usbip-rpc
ok "and its port is empty" until_true 10 eval '[ -z "$(vhci)" ]'

until_true 20 there 0525:a4a8
ok "attach --follow" attach "$bus" --follow 60
rebuild a4a9
ok "follows what comes to the port" until_true 40 here 0525:a4a9
ok "attached" until_true 20 state_is attached
ok "detach" detach

ok "attach --follow, by id" attach 0525:a4a9 --follow 3
rebuild a4aa
ok "another id is not what was asked for" until_true 30 not pidof usbip-rpc
ok "its port is empty" until_true 10 eval '[ -z "$(vhci)" ]'
on target 'gadget_gone ss; rmmod dummy_hcd' >/dev/null

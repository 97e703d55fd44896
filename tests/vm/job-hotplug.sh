# SPDX-License-Identifier: GPL-2.0-or-later
# The device is pulled out of the target 50 times, at random moments from the
# beginning of attach to amid queued bulk: no port, no process and no session
# stays behind, and the next attach works.
. /lab/session.sh

id=0525:a4a0
udc=/sys/kernel/config/usb_gadget/ss/UDC

plug() { on target "ls /sys/class/udc | grep dummy | head -1 >$udc"; }
pull() { on target "echo >$udc"; }

stays() { echo "round $round: $*"; ps -o pid,stat,args; dmesg | tail -n 20; return 1; }

load() { # queued bulk, as soon as there is a driver, until the device goes
	local dev
	until_true 10 eval '[ -e $(here '$id')/*:1.0/driver ]' || return
	dev=$(here $id)
	dev=$(printf /dev/bus/usb/%03d/%03d "$(cat "$dev/busnum")" \
		"$(cat "$dev/devnum")")
	exec /lab/testusb "$dev" $((27 + round % 2)) 100000 1024 0 32
}

# Up to three seconds from the beginning of attach: it takes about one.
moment() { echo $(($(od -An -N2 -tu2 /dev/urandom) * 45)); }

one_round() {
	plug
	until_true 20 there $id || stays "it is not at the target" || return
	usbip-rpc attach -r target -b "$(there $id)" --timeout 20 \
		>/tmp/attach.out 2>&1 &
	attacher=$!
	load >/tmp/load.out 2>&1 &
	loader=$!
	usleep "$(moment)"
	! here $id >/dev/null || amid=$((amid + 1))
	pull
	until_true 40 not kill -0 $attacher || stays "attach hangs" || return
	until_true 30 not here $id || stays "the port is still there" || return
	until_true 30 not kill -0 $loader || stays "the load hangs" || return
	until_true 30 not pidof usbip-rpc || stays "a helper is left" || return
	until_true 20 not there $id || stays "it is still at the target"
}

modprobe usbip-rpc-vhci
modprobe usbtest
share
on target "gadget ss high SourceSink; echo >$udc"
round=0 amid=0
storm() {
	while [ $round -lt 50 ]; do
		round=$((round + 1))
		one_round || return
	done
}
ok "pulled 50 times" storm
ok "$amid of them when it had come here" [ $amid -ge 5 ]
is "no port is taken" "$(usbip-rpc port | grep target)" ""
plug
until_true 20 there $id
ok "one more attach" attach "$(there $id)"
ok "one more detach" detach
ok "the service ends when told to" unshare_all
on target "gadget_gone ss; rmmod dummy_hcd" >/dev/null
ok "rmmod" until_true 10 rmmod usbip-rpc-vhci

# SPDX-License-Identifier: GPL-2.0-or-later
# usbip-rpc list --watch sees plugs, and so does an idle attached device's port.
. /lab/session.sh

heard() { # EVENT TEXT: behind what was heard before
	until_true 30 eval "tail -n +$seen /tmp/watch | grep -E '\"event\":\"$1\".*$2'" &&
		seen=$(($(wc -l </tmp/watch) + 1))
}

# What it took, in ms of the host's clock, from the pull of the plug until the
# line was there; for whoever reads this, and not judged.
took() {
	host clock | awk -v b="$1" '{ printf "%d ms", ($1 - b) * 1000 }'
}

modprobe usbip-rpc-vhci
share
: >/tmp/watch
spawn watching sh -c 'echo $$ >/tmp/watch.pid
	exec usbip-rpc list target --watch --json >/tmp/watch'
seen=1
ok "first what is there" heard watching ""
ok "attach" attach "$(there 0627:0001)" || give_up "no keyboard"
ok "which is told" heard changed '"state":"claimed"'
begin=$(host clock)
host monitor target device_del kbd-hub >/dev/null
ok "unplugged: told" heard left '"vendor":"0627"'
note "after $(took "$begin")"
ok "and its port, with nothing going on, is unplugged" \
	until_true 15 not here 0627:0001
note "after $(took "$begin")"
host monitor target device_add usb-kbd,id=kbd-hub,bus=xhci.0,port=15.2 >/dev/null
ok "plugged in again: told" heard arrived '"busid":"[0-9]*-15\.2"'
ok "and can be attached again" attach "$(there 0627:0001)"
ok "claimed" heard changed claimed
ok "detach" detach
ok "available" heard changed available
host monitor target device_del kbd-hub >/dev/null
ok "another device at the same port" heard left '"vendor":"0627"'
host monitor target device_add usb-tablet,id=kbd-hub,bus=xhci.0,port=15.2 >/dev/null
ok "is told as that" heard re-enumerated '"product_name":"QEMU USB Tablet"'
unshare_all
ok "the service ends" heard disconnected why
share
ok "a new one is found" heard watching ""
kill "$(cat /tmp/watch.pid)"
ok "it ends" until_true 10 not kill -0 "$(cat /tmp/watch.pid)"
host monitor target device_del kbd-hub >/dev/null
host monitor target device_add usb-kbd,id=kbd-hub,bus=xhci.0,port=15.2 >/dev/null
until_true 15 there 0627:0001

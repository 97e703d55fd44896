# SPDX-License-Identifier: GPL-2.0-or-later
# Many devices of several targets, and several controllers at one target.
# usbip-rpcd has fake devices here, that no driver of a guest binds to.
. /lab/session.sh

# serve HOST PORT COUNT: an usbip-rpcd with so many devices 1-1 ...
serve() {
	on "$1" "i=0; : >/tmp/script-$2
	while [ \$i -lt $3 ]; do
		i=\$((i + 1)); echo device 1-\$i zero serial=T$2-\$i
	done >>/tmp/script-$2
	echo '* 10.9.0.0/24' >/tmp/exports
	spawn rpcd-$2 usbip-rpcd -f --no-rpcbind --port $2 -e /tmp/exports \
		--backend fake:/tmp/script-$2
	until_true 20 grep -q 'listening on port' /tmp/rpcd-$2.log"
}

attach_from() { # HOST PORT DEVICE
	usbip-rpc attach -r "$1" --tcp-port "$2" -b "$3" --timeout 120
}
attached() { usbip-rpc port --json | grep -c '"state": "attached"'; }
controllers() { ls -d /sys/devices/platform/usbip-rpc-vhci.* | wc -l; }
serials() { cat /sys/devices/platform/usbip-rpc-vhci.*/usb*/*-*/serial | sort -u; }

# The target is a controller, too: of fake devices that this guest offers.
neighbour() {
	serve controller 3243 2 || return
	on target "modprobe usbip-rpc-vhci
		usbip-rpc attach -r controller --tcp-port 3243 -b 1-1" || return
	attach_from controller 3243 1-2
}

# as the job before left it, it has other parameters
rmmod usbip-rpc-vhci 2>/dev/null
modprobe usbip-rpc-vhci ports=2
serve target 3241 40
serve target 3242 1
n=0
for i in 1 2 3 4 5; do
	attach_from target 3241 1-$i && n=$((n + 1))
done
is "5 devices in hubs of 2 ports" "$n" 5
is "that is 3 controllers" "$(controllers)" 3
ok "a device of another target" attach_from target 3242 1-1
ok "two controllers at one target, a device each" neighbour
is "7 devices here" "$(attached)" 7
is "and one there" "$(on target usbip-rpc port --json | grep -c '"attached"')" 1
ok "usbip-rpc port names each target's" eval \
	'[ "$(serials | grep -c "^T324[123]-")" = 7 ]'
ok "all are detached" usbip-rpc detach --all
on target 'usbip-rpc detach --all; until_true 20 rmmod usbip-rpc-vhci'
kill "$(pidof usbip-rpcd)"
ok "rmmod takes all controllers along" until_true 20 rmmod usbip-rpc-vhci

modprobe usbip-rpc-vhci
for i in $(seq 1 30); do
	attach_from target 3241 1-$i >/tmp/attach-$i 2>&1 &
	pids="$pids $!"
done
n=0
for p in $pids; do
	wait $p && n=$((n + 1))
done
is "30 devices at once" "$n" 30 || cat /tmp/attach-* | sed 's/^/# /' | sort | uniq -c
is "all different" "$(serials | wc -l)" 30
is "in 4 controllers" "$(controllers)" 4
ok "all are detached" usbip-rpc detach --all
ok "and gone" until_true 30 eval '[ -z "$(vhci)" ]'
on target 'kill $(pidof usbip-rpcd)'
until_true 20 rmmod usbip-rpc-vhci

# SPDX-License-Identifier: GPL-2.0-or-later
# The guest's part of urb.sh: queues of URBs by usbtest, over usbip-rpc and
# usbip-rpcd, over usbip-rpc and rpc-peer, then over vhci_hcd.

node_of() { # VID:PID: the newest such device
	lsusb | sed -n "s|Bus \(...\) Device \(...\): ID $1.*|/dev/bus/usb/\1/\2|p" |
		tail -1
}

queue() { # NAME NODE DIRECTION CASE COUNT LENGTH DEPTH
	us=$(/lab/testusb "$2" "$4" "$5" "$6" "$6" "$7") || {
		echo "not ok - usbtest $4, $6 bytes x$7 over $1: $us"
		return
	}
	awk "BEGIN { printf \"urb $1 $3 $6 $7 %.2f\n\", $us / ($5 * $7) }"
}

queues() { # NAME NODE
	for pass in 1 2; do
		for way in 'OUT 27' 'IN 28'; do
			queue $1 $2 $way 300 512 1
			queue $1 $2 $way 30 512 32
			queue $1 $2 $way 30 16384 32
			queue $1 $2 $way 20 65536 16
		done
	done
}

is_bound() { ls /sys/bus/usb/drivers/usbtest/*:* >/dev/null 2>&1; }

modprobe usbtest alt=-1
echo '* *' >/tmp/exports
spawn rpcd usbip-rpcd -f --no-rpcbind --port 4000 -e /tmp/exports --backend fake
modprobe usbip-rpc-vhci
until_true 20 usbip-rpc list --tcp-port 4000 127.0.0.1
usbip-rpc attach --tcp-port 4000 127.0.0.1 1-2
until_true 20 is_bound
queues rpcd "$(node_of 0525:a4a0)"
usbip-rpc detach -p 0
until_true 20 not is_bound

spawn rpcpeer /lab/rpc-peer 4001
sleep 1
usbip-rpc attach --tcp-port 4001 127.0.0.1 1-1
until_true 20 is_bound
queues rpc "$(node_of 0525:a4a0)"
usbip-rpc detach -p 0
until_true 20 not is_bound

modprobe vhci-hcd
spawn peer /lab/usbip-peer 0
until_true 20 is_bound
queues vhci "$(node_of 0525:a4a0)"

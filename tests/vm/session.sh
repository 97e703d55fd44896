# SPDX-License-Identifier: GPL-2.0-or-later
#
# The verbs of a lab job that has usbip-rpc on both sides, on top of guest.sh:
#
#   share            start rpcbind and usbip-rpcd in the target, export all
#   attach DEVICE [OPTION...]  as the command does, with $attach_options too; $port
#                    is where it came to be
#   detach           what is at $port
#   vhci             the sysfs folders of what is plugged into our controller
#   here VID:PID[/SERIAL]   print the sysfs folder of what was attached
#   there VID:PID[/SERIAL]  print the target's bus id of it
#   disk_of FOLDER   print the disk (sda) of a USB device
#   node_of FOLDER   print its file below /dev/bus/usb
#   said_of FOLDER   print speed and descriptors, without bus and device number
#
# Everything that waits has a bound.

program=536874152
attach_options=

share() { # OPTION-OF-USBIP-RPCD...
	on target "pidof rpcbind || rpcbind -w
		mkdir -p /etc/usbip-rpc
		echo '*  10.9.0.0/24' >/etc/usbip-rpc/exports
		spawn usbip-rpcd usbip-rpcd -f $*" >/dev/null
	until_true 20 rpcinfo -t target $program 1 || {
		on target 'tail -n 20 /tmp/usbip-rpcd.log'
		return 1
	}
}

unshare_all() {
	on target 'kill $(pidof usbip-rpcd); until_true 15 not pidof usbip-rpcd'
}

attach() { # DEVICE [OPTION...]
	attach_out=$(usbip-rpc attach -r target -b "$@" $attach_options 2>&1) || {
		echo "$attach_out"
		return 1
	}
	port=$(echo "$attach_out" | grep -o 'port [0-9]*' | head -1 | cut -d' ' -f2)
	[ -n "$port" ] || { echo "no port in: $attach_out"; return 1; }
}

detach() {
	usbip-rpc detach -p "$port"
}

# A device is ours when its root hub hangs on our platform device.
vhci() {
	local d
	for d in /sys/bus/usb/devices/*-*; do
		case $d in *:*) continue ;; esac
		case $(readlink -f "$d") in
		*usbip-rpc* | *usbip_rpc*) echo "$d" ;;
		esac
	done
}

# is_device FOLDER VID:PID[/SERIAL]
is_device() {
	[ -e "$1/idVendor" ] || return
	[ "$(cat "$1/idVendor"):$(cat "$1/idProduct")" = "${2%%/*}" ] || return
	case $2 in
	*/*) [ "$(cat "$1/serial" 2>/dev/null)" = "${2#*/}" ] ;;
	esac
}

here() { # VID:PID[/SERIAL]
	local d
	for d in $(vhci); do
		is_device "$d" "$1" || continue
		echo "$d"
		return
	done
	return 1
}

there() { # VID:PID[/SERIAL]
	on target '. /lab/session.sh
		for d in /sys/bus/usb/devices/*-*; do
			is_device $d '"$1"' && echo ${d##*/} && exit
		done; false'
}

disk_of() { # FOLDER
	ls -d "$1"/*/host*/target*/*/block/* 2>/dev/null | sed 's|.*/||' |
		grep . || return
}

# target_disk_of VID:PID/SERIAL
target_disk_of() {
	on target ". /lab/session.sh
		disk_of /sys/bus/usb/devices/$(there "$1")"
}

node_of() { # FOLDER
	printf /dev/bus/usb/%03d/%03d "$(cat "$1/busnum")" "$(cat "$1/devnum")"
}

said_of() { # FOLDER
	echo "speed $(cat "$1/speed")"
	lsusb -v -s "$(cat "$1/busnum"):$(cat "$1/devnum")" 2>&1 |
		sed 's/^Bus [0-9]* Device [0-9]*:/Bus Device:/' | grep .
}

# SPDX-License-Identifier: GPL-2.0-or-later
# usbip-rpcd on real devices, without a controller's kernel: a program claims
# each, uses it, and gives it back; and what a machine that has devices of its
# own can rely on.
. /lab/session.sh

driver_of() { # BUSID: of its first interface
	basename "$(readlink "/sys/bus/usb/devices/$1/$1:1.0/driver")"
}
probe() { timeout 60 /lab/probe 127.0.0.1 3240 "$1"; }
serve() { # [PREFIX...]
	spawn rpcd "$@" usbip-rpcd -f --no-rpcbind --port 3240 -e /tmp/exports
	until_true 10 rpcinfo -a 127.0.0.1.12.168 -T tcp 536874152
}
device_of() { # VID:PID/SERIAL or VID:PID: the first one
	local d want=$1
	for d in /sys/bus/usb/devices/[0-9]*-*; do
		[ -e "$d/idVendor" ] || continue
		case "$(cat "$d/idVendor"):$(cat "$d/idProduct")/$(cat "$d/serial" 2>/dev/null)" in
		"$want"*) basename "$d"; return ;;
		esac
	done
	return 1
}

mkdir -p /tmp/mnt
printf '* 127.0.0.1\n' >/tmp/exports
ok "usbip-rpcd serves" serve || give_up "no service"
for d in 46f4:0001/LAB-stick-ss 46f4:0001/LAB-stick-hs 46f4:0003 0627:0001 \
	0403:6001 08e6:4433; do
	ok "$d is plugged in" until_true 30 device_of "$d"
done
until_true 15 test -b /dev/sda
for d in /sys/bus/usb/devices/[0-9]*-*; do
	d=$(basename "$d")
	case $d in *:*) continue ;; esac
	[ "$(cat "/sys/bus/usb/devices/$d/bDeviceClass")" != 09 ] || continue
	before=$(driver_of "$d")
	ok "$d, $(cat "/sys/bus/usb/devices/$d/product"): claimed, used, given back" \
		probe "$d"
	ok "$d: $before has it again" \
		until_true 10 eval '[ "$(driver_of '"$d"')" = "'"$before"'" ]'
done

stick=$(device_of 46f4:0001/LAB-stick-ss)
# not any disk: the other ones come back too, each at its own pace
ok "the stick is a disk again" until_true 15 disk_of "/sys/bus/usb/devices/$stick"
disk=$(disk_of "/sys/bus/usb/devices/$stick")
until_true 5 test -b "/dev/$disk"
mount -t vfat -o ro "/dev/$disk" /tmp/mnt || mount -t vfat -o ro "/dev/${disk}1" /tmp/mnt
ok "a disk that is mounted is not given away" not probe "$stick"
ok "and stays" ls /tmp/mnt
umount /tmp/mnt

gadget ss super SourceSink
ok "a device is found when it is plugged in" \
	until_true 10 eval 'probe "$(device_of 0525:a4a0)"'
timeout 60 /lab/probe --hold 127.0.0.1 3240 "$(device_of 0525:a4a0)" >/tmp/hold 2>&1 &
ok "it is claimed" until_true 10 grep -q held /tmp/hold
gadget_gone ss
ok "unplugged: the session is GONE" until_true 10 grep -q 'session 10' /tmp/hold

gadget ends super SourceSink Loopback
ok "another gadget" until_true 10 device_of 0525:a4a0
timeout 120 /lab/ends 127.0.0.1 3240 "$(device_of 0525:a4a0)" >/tmp/ends 2>&1 &
until_true 60 grep -q '^pull' /tmp/ends
gadget_gone ends
wait $!
tap cat /tmp/ends

timeout 60 /lab/probe --hold 127.0.0.1 3240 "$stick" >/tmp/hold 2>&1 &
ok "the stick is claimed" until_true 10 grep -q held /tmp/hold
ok "--sessions tells by whom" eval \
	'usbip-rpcd --sessions | grep -A1 "^$stick: 46f4:0001 .*, active" | grep -q "claimed by .*(127.0.0.1)"'
ok "--revoke takes it back" usbip-rpcd --revoke "$stick"
ok "and usb-storage has it when that is said" \
	[ "$(driver_of "$stick")" = usb-storage ]
ok "the session is REVOKED" until_true 10 grep -q 'session 11' /tmp/hold

timeout 60 /lab/probe --hold 127.0.0.1 3240 "$stick" >/tmp/hold 2>&1 &
ok "it is claimed again" until_true 10 grep -q held /tmp/hold
kill -9 "$(pidof usbip-rpcd)"
ok "kill -9: it has no driver" until_true 5 \
	not test -e "/sys/bus/usb/devices/$stick/$stick:1.0/driver"
ok "the next service" serve
ok "gives it back" until_true 10 eval '[ "$(driver_of '"$stick"')" = usb-storage ]'
kill "$(pidof usbip-rpcd)"
ok "SIGTERM ends it" until_true 15 not pidof usbip-rpcd

# Another user, who has the device by its file.
serve_as_nobody() { serve su -s /bin/sh -c 'exec "$0" "$@"' -- nobody; }
file_of() { # BUSID
	printf /dev/bus/usb/%03d/%03d "$(cat "/sys/bus/usb/devices/$1/busnum")" \
		"$(cat "/sys/bus/usb/devices/$1/devnum")"
}
until_true 15 disk_of "/sys/bus/usb/devices/$stick"
chown nobody "$(file_of "$stick")"
ok "as another user, usbip-rpcd serves" serve_as_nobody
ok "a disk that it may not open is not given away" not probe "$stick"
ok "it says why" grep -q 'not for this user to open' /tmp/rpcd.log
kill "$(pidof usbip-rpcd)"
until_true 15 not pidof usbip-rpcd
sed -i 's/^disk:.*/&nobody/' /etc/group
ok "in the group of disks, it serves" serve_as_nobody
ok "the disk is given away" probe "$stick"
kill "$(pidof usbip-rpcd)"

# SPDX-License-Identifier: GPL-2.0-or-later
# The main job as a person would do it, told line by line. Every step is also a
# test point, so that a demo that did not work cannot look as if it had.
. /lab/session.sh

say() { echo "@say $*"; }

# type HOST COMMAND: show the prompt, the command and what it printed
type_in() {
	local host=$1 out rc; shift
	say "  $host# $*"
	if [ "$host" = controller ]; then
		out=$(sh -c "$*" 2>&1); rc=$?
	else
		out=$(on "$host" "$*" 2>&1); rc=$?
	fi
	[ -z "$out" ] || echo "$out" | sed 's/^/@say     /'
	typed=$out
	return $rc
}

step() { # NAME HOST COMMAND
	say ""
	say "$1"
	shift
	type_in "$@"
	lab_rc=$?
	ok "$*" [ $lab_rc = 0 ] || give_up "this step failed: $*"
}

id=46f4:0001/LAB-stick-ss
say "Two virtual machines: target (10.9.0.1) with a USB stick, controller"
say "(10.9.0.2) with nothing. Both run Linux $(uname -r)."
step "The stick is plugged into the target, and only there." \
	target "lsusb | grep -v 'ID 1d6b:'"
until_true 15 target_disk_of $id
disk=$(target_disk_of $id)
step "A file on it, as the target reads it." \
	target "mount -t vfat -o ro /dev/$disk /mnt && sha256sum /mnt/data.bin; umount /mnt"
want=${typed%% *}
step "The target says who may have it, and serves." \
	target "echo '46f4:0001  10.9.0.0/24' >/etc/usbip-rpc/exports && rpcbind -w && usbip-rpcd"
step "The controller starts rpcbind and loads the virtual host controller." \
	controller "rpcbind -w && modprobe usbip-rpc-vhci && lsmod | grep usbip"
step "rpcbind on the target knows the program, like any other." \
	controller "rpcinfo -p target"
step "What is there to be had?" controller "usbip-rpc list -r target"
step "Attach it." controller "usbip-rpc attach -r target -b $(there $id)"
port=$(echo "$typed" | grep -o 'port [0-9]*' | head -1 | cut -d' ' -f2)
until_true 15 eval 'disk_of $(here '$id')'
step "The controller has a USB stick now." controller "lsusb -t"
disk=$(disk_of "$(here $id)")
step "What usbip-rpc says of it." controller "usbip-rpc port"
step "Mount it: the driver is Linux's own." \
	controller "mount -t vfat /dev/$disk /mnt && ls -l /mnt"
step "The same file, as the controller reads it." \
	controller "sha256sum /mnt/data.bin"
got=${typed%% *}
is "the file is the same on both sides" "$got" "$want" || give_up "not the same"
step "Write a file, and see that the device has it." controller \
	"head -c 1000000 /dev/urandom >/tmp/new && cp /tmp/new /mnt/new.bin && umount /mnt && echo 3 >/proc/sys/vm/drop_caches && mount -t vfat /dev/$disk /mnt && cmp /tmp/new /mnt/new.bin && sha256sum /mnt/new.bin"
want2=${typed%% *}
step "Take leave." controller "umount /mnt && usbip-rpc detach -p $port"
until_true 15 target_disk_of $id
disk=$(target_disk_of $id)
step "The target has its stick back, with the new file on it." \
	target "mount -t vfat -o ro /dev/$disk /mnt && sha256sum /mnt/new.bin; umount /mnt"
is "what was written is there" "${typed%% *}" "$want2"
say ""
say "Shown: a USB stick of one machine, listed, attached, mounted and unplugged"
say "on another one, over ONC RPC. Read: $got on both sides."
say "Written: $want2 on both sides."

# SPDX-License-Identifier: GPL-2.0-or-later
#
# The devices that QEMU emulates, by short names, for ./run. The names are the
# QEMU ids too, so that a job can pull one: host monitor target device_del kbd.
# A name with -hs sits on an EHCI controller, the others on an xHCI one; a name
# with -hub is behind the hub, and one with -hub2 behind a second one there.

device_names='stick-ss stick-hs uas uas-hs kbd kbd-fs mouse tablet serial ccid mtp net
	                 audio hub hub-hub kbd-hub stick-hub stick-hub2'

# add_device NAME: append to $device_args, with the controller that it needs and
# whatever stands behind it in $work; fails when there is no such device.
add_device() {
	case " $(echo $device_names) " in
	*" $1 "*) ;;
	*) return 1 ;;
	esac
	case $1 in
	*-hs) need_controller ehci ich9-usb-ehci1; bus=ehci.0 ;;
	*) need_controller xhci qemu-xhci,p2=15,p3=15; bus=xhci.0 ;;
	esac
	# ports that QEMU itself gives out last
	case $1 in
	hub) port=,port=15 ;;
	hub-hub) port=,port=15.1 ;;
	kbd-hub) port=,port=15.2 ;;
	stick-hub) port=,port=15.3 ;;
	stick-hub2) port=,port=15.1.4 ;;
	*) port= ;;
	esac
	case $1 in
	stick-*)
		make_stick "$1"
		add_args -drive "if=none,id=d-$1,file=$work/$1.img,format=raw" \
			-device "usb-storage,drive=d-$1,serial=LAB-$1,$(at "$1")"
		;;
	uas*)
		make_stick "$1"
		add_args -device "usb-uas,serial=LAB-$1,$(at "$1")" \
			-drive "if=none,id=d-$1,file=$work/$1.img,format=raw" \
			-device "scsi-hd,bus=$1.0,drive=d-$1"
		;;
	kbd | mouse | tablet) add_args -device "usb-$1,$(at "$1")" ;;
	kbd-hub) add_args -device "usb-kbd,$(at kbd-hub)" ;;
	kbd-fs) add_args -device "usb-kbd,usb_version=1,$(at kbd-fs)" ;;
	serial)
		mkfifo "$work/serial.in" "$work/serial.out"
		cat "$work/serial.out" >"$work/serial.log" 2>/dev/null &
		pids="$pids $!"
		add_args -chardev "pipe,id=line,path=$work/serial" -device \
			"usb-serial,chardev=line,always-plugged=on,$(at serial)"
		;;
	ccid) add_args -device "usb-ccid,$(at ccid)" ;;
	mtp)
		mkdir "$work/mtp"
		head -c 1000000 /dev/urandom >"$work/mtp/photo.jpg"
		add_args -device "usb-mtp,rootdir=$work/mtp,$(at mtp)"
		;;
	net)
		mkdir "$work/tftp"
		head -c 1000000 /dev/urandom >"$work/tftp/blob"
		add_args -netdev "user,id=outside,restrict=on,net=10.8.0.0/24,tftp=$work/tftp" \
			-device "usb-net,netdev=outside,$(at net)"
		;;
	audio)
		# samples as they come, and a buffer that never overruns
		add_args -audiodev "wav,id=a,path=$work/sound.wav,out.mixing-engine=off,out.fixed-settings=off" \
			-device "usb-audio,audiodev=a,buffer=8388608,$(at audio)"
		;;
	hub | hub-hub) add_args -device "usb-hub,$(at "$1")" ;;
	esac
}

add_args() { device_args="$device_args $*"; }
at() { echo "id=$1,bus=$bus$port"; }

need_controller() { # ID MODEL[,OPTION]
	case " $device_args " in
	*",id=$1 "*) ;;
	*) add_args -device "$2,id=$1" ;;
	esac
}

# A stick as one buys it: FAT, with a file of random bytes and a text on it.
make_stick() { # NAME
	img=$work/$1.img
	truncate -s 32M "$img"
	mkfs.vfat -n LABSTICK "$img" >/dev/null
	head -c 4194304 /dev/urandom >"$work/$1.data"
	echo "This came over ONC RPC." >"$work/$1.txt"
	mcopy -i "$img" "$work/$1.data" ::data.bin
	mcopy -i "$img" "$work/$1.txt" ::readme.txt
	rm -f "$work/$1.txt"
}

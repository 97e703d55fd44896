# SPDX-License-Identifier: GPL-2.0-or-later
# The promises of uapi/linux/usbip_rpc.h.
. /lab/hcd-lib.sh
tap /lab/hcd-abi
tap /lab/hcd-urb
tap /lab/hcd-isoc
tap /lab/hcd-streams

rmmod usbtest	# would have the device
ok "a driver" modprobe urpc-isoc
tap /lab/hcd-handlers
ok "it goes" rmmod urpc-isoc
modprobe usbtest

# Again, with completion handlers of another device running on all processors:
# what write() promises about handlers is easy to keep without.
ok "a busy device" emul -s high
ok "usbtest binds to it" emul_ready
/lab/testusb "$emul_node" 28 1000000 512 0 32 >/dev/null 2>&1 &
load=$!
tap /lab/hcd-urb
kill -9 $emul_pid
wait $emul_pid $load
ok "no device is left" until_true 15 no_devices

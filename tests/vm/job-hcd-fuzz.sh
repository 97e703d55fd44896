# SPDX-License-Identifier: GPL-2.0-or-later
# Noise, mutations and races at the char device; the kernel's log is the judge.
. /lab/hcd-lib.sh

for seed in 1 2 $(od -An -N2 -tu2 /dev/urandom); do
	tap /lab/hcd-fuzz "$seed" 20
done
ok "no device is left" until_true 20 no_devices
ok "nobody is stuck" none_stuck
ok "rmmod" rmmod usbip-rpc-vhci

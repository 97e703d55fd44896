# SPDX-License-Identifier: GPL-2.0-or-later
# Unlink storms: URBs that are taken back while they are on their way.
. /lab/session.sh

modprobe usbip-rpc-vhci
modprobe usbtest
share
on target "gadget ss high SourceSink"
until_true 15 there 0525:a4a0
ok "attach" attach "$(there 0525:a4a0)" || give_up "no gadget"
until_true 15 eval '[ -e $(here 0525:a4a0)/*:1.0/driver ]'
dev=$(here 0525:a4a0)
dev=$(printf /dev/bus/usb/%03d/%03d "$(cat "$dev/busnum")" "$(cat "$dev/devnum")")
for case in 11 12 24; do
	ok "case $case, 500 times" \
		timeout 240 /lab/testusb "$dev" $case 500 4096 0 32
done
ok "both directions at once" sh -c "
	timeout 240 /lab/testusb $dev 11 200 16384 0 32 & a=\$!
	timeout 240 /lab/testusb $dev 12 200 16384 0 32 && wait \$a"
ok "and then it still works" /lab/testusb "$dev" 1 50 1024 0 0
ok "detach" detach
on target "gadget_gone ss; rmmod dummy_hcd" >/dev/null

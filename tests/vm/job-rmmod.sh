# SPDX-License-Identifier: GPL-2.0-or-later
# The module comes and goes, also with a device on it, and leaves nothing.
. /lab/session.sh

modprobe usbip-rpc-vhci
share
bus=$(there 0627:0001)
ok "attach" attach "$bus"
ok "in use, it does not go" not rmmod usbip-rpc-vhci
ok "detach" detach
ok "it goes" until_true 10 rmmod usbip-rpc-vhci
ok "its node goes" until_true 5 not test -e /dev/usbip-rpc-vhci
is "no root hub stays" "$(vhci)" ""
n=0
while [ $n -lt 20 ]; do
	modprobe usbip-rpc-vhci && until_true 10 rmmod usbip-rpc-vhci || break
	n=$((n + 1))
done
is "twenty times more" $n 20
modprobe usbip-rpc-vhci
until_true 5 test -c /dev/usbip-rpc-vhci
ok "attach again" attach "$bus"
ok "detach again" detach
ok "it goes at the end" until_true 10 rmmod usbip-rpc-vhci
ok "the service ends when told to" unshare_all
ok "and rpcbind forgets it" \
	not sh -c "rpcinfo -p target | grep -q $program"

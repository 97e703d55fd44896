# SPDX-License-Identifier: GPL-2.0-or-later
# The stick is pulled out of the target while the controller reads it.
. /lab/session.sh

modprobe usbip-rpc-vhci
share
id=46f4:0001/LAB-stick-ss
ok "attach" attach "$(there $id)" || give_up "no stick"
until_true 15 eval 'disk_of $(here '$id')'
disk=$(disk_of "$(here $id)")
dd if="/dev/$disk" of=/dev/null bs=4k >/tmp/dd.log 2>&1 &
reader=$!
sleep 0.5
host monitor target device_del stick-ss >/dev/null
ok "the port goes" until_true 15 not here $id
ok "the reader comes back" until_true 15 not kill -0 $reader
ok "port shows nothing" until_true 10 \
	eval '[ -z "$(usbip-rpc port | grep target)" ]'
ok "the target still serves" usbip-rpc list -r target

# SPDX-License-Identifier: GPL-2.0-or-later
# The network goes away under a disk that is in use, for less than the lease and
# for more; and the target's service, from under an attachment that persists.
. /lab/session.sh

id=46f4:0001/LAB-stick-hs
log=/tmp/resume.log

# In the foreground, so that what it says is in a file.
helper() { # OPTION...
	: >$log
	spawn resume usbip-rpc attach -r target -b "$(there $id)" --foreground "$@"
	helper_pid=$!
	until_true 40 find_disk
}
find_disk() {
	disk=$(disk_of "$(here $id)") && [ -b "/dev/$disk" ] &&
		[ "$(cat "/sys/block/$disk/size")" -gt 0 ]
}
port_says() { usbip-rpc port | grep -Eq "$1"; }
said() { grep -c "$1" $log; }
up_s() { cut -d. -f1 /proc/uptime; }
transfers() { awk '{ print $1 + $5 }' "/sys/block/$disk/stat"; }
wire() { ip link set eth0 "$1"; }

modprobe usbip-rpc-vhci
share
until_true 15 target_disk_of $id
ok "attach" helper || give_up "no disk"
/lab/diskload -d 4 -n 1000000 "/dev/$disk" >/tmp/load.out 2>&1 &
load_pid=$!
until_true 30 grep -q '^# begun' /tmp/load.out
wire down
began=$(up_s)
ok "the network is gone: port says so" until_true 18 \
	port_says 'reconnecting over tcp for [0-9]+ s .*lease left: [1-9]'
# not to wait for a fact: the outage has this length
while [ $(($(up_s) - began)) -lt 20 ]; do sleep 1; done
wire up
ok "20 s later it is back, and so is the connection" until_true 20 \
	port_says 'connected over tcp for .*, 1 reconnects'
before=$(transfers)
ok "the load goes on" until_true 20 eval '[ "$(transfers)" -gt '"$before"' ]'
kill $load_pid
wait $load_pid
is "no error and no wrong byte" "$(sed -n 's/ most.*//p' /tmp/load.out)" \
	"wrong 0 errors 0"
is "one line when it was lost" "$(said 'connection to target lost')" 1
is "and one when it was back" "$(said 'connection to target is back, after')" 1
ok "detach" usbip-rpc detach -p 0
wait $helper_pid
is "as asked" $? 0

unshare_all
share --lease 4
until_true 15 target_disk_of $id
ok "attach, with a short lease" helper || give_up "no disk"
wire down
ok "the network is gone for longer than the lease: unplugged" \
	until_true 30 not here $id
wait $helper_pid
is "the helper ends" $? 1
ok "and says why" grep 'lost for longer than the lease' $log
wire up

ok "attach --persist" helper --persist || give_up "no disk"
place=$(here $id)
on target 'kill -9 $(pidof usbip-rpcd)'
ok "the service is killed: unplugged" until_true 20 not here $id
ok "port says that it waits, and why" until_true 15 \
	port_says 'waiting for .*refuses port'
on target "spawn usbip-rpcd usbip-rpcd -f"
ok "and started again: the disk is here again" until_true 40 find_disk
is "at the same port" "$(here $id)" "$place"
ok "and can be read" dd if="/dev/$disk" of=/dev/null bs=64k count=16 iflag=direct
ok "the log says for how long it was away" grep 'again, after' $log
ok "detach" usbip-rpc detach -p 0
wait $helper_pid
is "which ends it for good" $? 0
until_true 15 target_disk_of $id

ok "attach --persist what is not there" attach 9-9 --persist
ok "it says that it waits" \
	eval 'echo "$attach_out" | grep "waiting for 9-9 from target as port [0-9]"'
ok "port too" port_says 'waiting for .*no device 9-9'
ok "detach" detach
ok "no helper is left" until_true 10 not pidof usbip-rpc

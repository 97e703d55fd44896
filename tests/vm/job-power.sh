# SPDX-License-Identifier: GPL-2.0-or-later
# Autosuspend of what is attached, and system sleep with it attached.
. /lab/session.sh

autosuspend() { # FOLDER
	echo 0 >"$1/power/autosuspend_delay_ms"
	echo auto >"$1/power/control"
}
is_asleep() { [ "$(cat "$1/power/runtime_status")" = suspended ]; }

# ---- a keyboard: its driver wants remote wakeup, which does not come over the
# wire: so it is not put to sleep

pressed() { # KEY CODE-AS-HEX: press it; it arrives
	host monitor target sendkey "$1" >/dev/null
	until_true 3 eval "hexdump -v -e '24/1 \"%02x\" \"\n\"' /tmp/keys |
		cut -c33- | grep -qx 0100${2}0001000000"
}
# the reader may still be on its way when the first one is pressed
key() { until_true 30 pressed "$@"; }

keyboard() {
	local dir node reader
	ok "keyboard: attach" attach "$(there 0627:0001)" || return
	dir=$(here 0627:0001)
	until_true 20 eval 'ls -d $dir/*/*/input/input*/event*'
	node=/dev/input/$(ls -d "$dir"/*/*/input/input*/event* | sed 's|.*/||')
	until_true 10 test -c "$node"
	autosuspend "$dir"
	cat "$node" >/tmp/keys &
	reader=$!
	ok "keyboard: a key arrives" key a 1e
	# longer than the delay, and than the core takes to find it idle
	sleep 5
	ok "keyboard: it stays awake" not is_asleep "$dir"
	ok "keyboard: and the next key arrives" key z 2c
	kill $reader
	ok "keyboard: detach" detach
}

# ---- a stick

id=46f4:0001/LAB-stick-ss
sum() { # of the stick's first megabyte, from the stick
	echo 3 >/proc/sys/vm/drop_caches
	dd if="/dev/$disk" bs=64k count=16 2>/dev/null | sha256sum
}
find_disk() {
	until_true 30 eval 'disk_of $(here '$id')' || return
	disk=$(disk_of "$(here $id)")
	until_true 10 test -b "/dev/$disk"
}

driver() { # bind|unbind
	echo "${dir##*/}:1.0" >"/sys/bus/usb/drivers/usb-storage/$1"
}

# Its device at the target sleeps
target_sleeps() {
	on target "[ \$(cat /sys/bus/usb/devices/$busid/power/runtime_status) = suspended ]"
}

stick() {
	local dir before busid
	busid=$(there $id)
	ok "stick: attach" attach "$busid" || return
	on target "cd /sys/bus/usb/devices/$busid/power
		echo 0 >autosuspend_delay_ms; echo auto >control"
	find_disk
	dir=$(here $id)
	before=$(sum)
	ok "stick: in use, the target keeps it awake" not target_sleeps
	driver unbind
	autosuspend "$dir"
	ok "stick: without a driver it goes to sleep" \
		until_true 30 is_asleep "$dir"
	ok "stick: and its hub" until_true 30 is_asleep "$dir/.."
	ok "stick: and the target lets it sleep" until_true 30 target_sleeps
	driver bind
	ok "stick: with one it is a disk again" find_disk
	is "stick: and what it was" "$(sum)" "$before"
	ok "stick: in use, it is awake at the target" not target_sleeps
	driver unbind
	ok "stick: and sleeps again" until_true 30 target_sleeps
	ok "stick: detach, asleep" detach
	ok "stick: the target has its disk" until_true 30 target_disk_of $id
	on target "echo on >/sys/bus/usb/devices/$busid/power/control"
}

# ---- system sleep: pm_test comes back by itself

parameter=/sys/module/usbip_rpc_vhci/parameters/detach_on_sleep
seconds() { cut -d. -f1 /proc/uptime; }
go_to_sleep() { echo freeze >/sys/power/state; }

nap() {
	local before pid place begin
	if ! echo devices >/sys/power/pm_test; then
		skip "system sleep" "this kernel cannot test it"
		return
	fi
	ok "sleep: attach" attach "$(there $id)" || return
	find_disk
	before=$(sum)
	pid=$(pidof usbip-rpc)
	place=$(here $id)
	ok "sleep: is refused" not go_to_sleep
	is "sleep: the stick is still there" "$(sum)" "$before"
	echo 1 >$parameter
	begin=$(seconds)
	ok "sleep: with detach_on_sleep" go_to_sleep
	note "it took $(($(seconds) - begin)) s, 5 of them pm_test's own"
	ok "sleep: nothing waited for a time-out" \
		[ $(($(seconds) - begin)) -lt 60 ]
	ok "sleep: the stick is back" until_true 60 eval \
		'usbip-rpc port --json | grep -q "\"state\": \"attached\""'
	is "sleep: where it was" "$(here $id)" "$place"
	is "sleep: by the same helper" "$(pidof usbip-rpc)" "$pid"
	find_disk
	is "sleep: and is what it was" "$(sum)" "$before"
	echo 0 >$parameter
	echo none >/sys/power/pm_test
	ok "sleep: detach" detach
}

modprobe usbip-rpc-vhci
share
until_true 60 there 0627:0001
keyboard
stick
nap

# SPDX-License-Identifier: GPL-2.0-or-later
# A device without a driver is put to sleep and woken again; who asked for it is
# told, and gets no URB between.
# System sleep is refused at once while a device is attached, or detaches it.
. /lab/hcd-lib.sh

asleep() { [ "$(cat "$emul_dir/power/runtime_status")" = suspended ]; }

autosuspend() { # SPEED [-p]
	ok "$*: attach" emul -s "$@" || return
	ok "$*: usbtest binds" emul_ready || return
	rmmod usbtest
	echo 0 >"$emul_dir/power/autosuspend_delay_ms"
	echo auto >"$emul_dir/power/control"
	ok "$*: the device goes to sleep" until_true 60 asleep
	ok "$*: and so does its hub" until_true 60 eval \
		'[ $(cat $emul_dir/../power/runtime_status) = suspended ]'
	modprobe usbtest
	ok "$*: and works when it is wanted" \
		/lab/testusb "$emul_node" 1 10 1024 0 0
	ok "$*: detach" emul_stop
	case $* in
	*-p) ok "$*: that was told" grep -q \
		'^suspends [1-9][0-9]* resumes [1-9]' /tmp/emul.out ;;
	*) ok "$*: nobody asked" grep -qx 'suspends 0 resumes 0' /tmp/emul.out ;;
	esac
}
autosuspend high
autosuspend super
autosuspend high -p
autosuspend super -p

parameter=/sys/module/usbip_rpc_vhci/parameters/detach_on_sleep
seconds() { cut -d. -f1 /proc/uptime; }
go_to_sleep() { echo freeze >/sys/power/state; }

refused_at_once() {
	local begin
	begin=$(seconds)
	! go_to_sleep && [ $(($(seconds) - begin)) -lt 5 ]
}

if ! grep -q freeze /sys/power/state 2>/dev/null ||
	! echo devices >/sys/power/pm_test; then
	skip "system sleep" "this kernel cannot test it"
	exit $lab_bad
fi
ok "attach" emul -s high
ok "usbtest binds" emul_ready
ok "sleep is refused" refused_at_once
ok "the device is still there" /lab/testusb "$emul_node" 1 10 1024 0 0
echo 1 >$parameter
# pm_test sleeps for 5 s of its own
begin=$(seconds)
ok "sleep, with devices detached" go_to_sleep
ok "takes no longer than it has to" \
	[ $(($(seconds) - begin)) -lt 60 ]
wait $emul_pid
ok "the device is gone" until_true 15 test ! -e "$emul_dir"
ok "attach again" emul -s super
ok "usbtest binds again" emul_ready
echo 0 >$parameter
ok "detach" emul_stop
ok "sleep without devices" go_to_sleep
echo none >/sys/power/pm_test

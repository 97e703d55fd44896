# SPDX-License-Identifier: GPL-2.0-or-later
# Allocations fail, one in so many, for the driver and for the helper.
. /lab/hcd-lib.sh

failslab=/sys/kernel/debug/failslab
if [ ! -d $failslab ]; then
	skip "failing allocations" "this kernel has no failslab"
	exit $lab_bad
fi
echo Y >$failslab/task-filter
echo N >$failslab/ignore-gfp-wait
echo 0 >$failslab/verbose
echo 1 >$failslab/interval
echo -1 >$failslab/times

# failing SECONDS COMMAND...: run it so; how it ends does not matter, that it
# ends by itself does. Nothing forks: a fork that fails is no news, but logged.
failing() {
	local limit=$1 rc; shift
	timeout -s KILL "$limit" \
		sh -c 'echo 1 >/proc/self/make-it-fail; exec "$@"' sh "$@" \
		>/tmp/failing.out 2>&1
	rc=$?
	[ $rc != 124 ] && [ $rc != 137 ]
}

all_cases() { # PROBABILITY
	local case
	echo "$1" >$failslab/probability
	for case in 1 2 3 4 5 6 7 8 9 11 12 14 17 18 27 28; do
		failing 60 /lab/testusb "$emul_node" $case 20 1024 512 16 ||
			return
	done
	echo 0 >$failslab/probability
}

# A helper that dies while it opens and attaches leaves nothing.
attach_failing() {
	local i
	echo 5 >$failslab/probability
	for i in $(seq 1 30); do
		failing 1 /lab/hcd-emul -s high
	done
	echo 0 >$failslab/probability
	until_true 20 no_devices
}

ok "attach" emul -s high
ok "usbtest binds" emul_ready
ok "one in 100 allocations of the driver fails" all_cases 1
ok "one in 20 fails" all_cases 5
ok "the device has survived" /lab/testusb "$emul_node" 1 10 1024 0 0
ok "detach" emul_stop
ok "allocations of the helper fail" attach_failing
ok "attach again" emul -s super
ok "usbtest binds again" emul_ready
ok "and the device works" /lab/testusb "$emul_node" 10 10 0 0 16
ok "detach again" emul_stop

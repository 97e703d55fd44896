# SPDX-License-Identifier: GPL-2.0-or-later
# kill -9 of the helper and of usbip-rpcd, 25 times each, at random moments
# under load: nothing stays behind, and the next attach works.
. /lab/session.sh

id=0525:a4a0

load() { # queued bulk, until the device goes
	local dev
	dev=$(here $id)
	dev=$(printf /dev/bus/usb/%03d/%03d "$(cat "$dev/busnum")" \
		"$(cat "$dev/devnum")")
	/lab/testusb "$dev" $((27 + round % 2)) 100000 1024 0 32 >/tmp/load 2>&1 &
	loader=$!
}

start_service() {
	on target "spawn usbip-rpcd usbip-rpcd -f --lease 3"
	until_true 20 rpcinfo -t target $program 1
}

attach_again() {
	until_true 30 attach "$(there $id)" || { attach "$(there $id)"; return; }
}

# Said with the round, and once: what is left is the finding.
stays() { echo "round $round: $*"; ps -o pid,stat,args; dmesg | tail -n 20; return 1; }

one_round() { # VICTIM
	attach_again || stays "attach failed"  || return
	until_true 15 eval '[ -e $(here $id)/*:1.0/driver ]' ||
		stays "no driver" || return
	load
	usleep $(($(od -An -N2 -tu2 /dev/urandom) * 15))
	# a kill that hits nobody, or in calm, would test nothing
	kill -0 $loader || stays "the load had ended: $(cat /tmp/load)" || return
	case $1 in
	helper) kill -9 $(pidof usbip-rpc) || stays "no helper" || return ;;
	usbip-rpcd)
		on target 'kill -9 $(pidof usbip-rpcd)' ||
			stays "no usbip-rpcd" || return
		start_service || stays "no service" || return
		;;
	esac
	until_true 20 not here $id || stays "the port is still there" || return
	until_true 20 not kill -0 $loader || stays "the load hangs" || return
	until_true 20 not pidof usbip-rpc || stays "a helper is left" || return
}

storm() { # VICTIM
	while [ $round -lt "$2" ]; do
		round=$((round + 1))
		one_round "$1" || return
	done
}

hangs() { ps -o stat,args | grep '^D'; }

modprobe usbip-rpc-vhci
modprobe usbtest
share --lease 3
on target "gadget ss high SourceSink"
until_true 15 there $id
round=0
kills=$((25 * lab_times))
ok "the helper killed $kills times" storm helper $kills
round=0
ok "usbip-rpcd killed $kills times" storm usbip-rpcd $kills
# A kernel thread may sleep for a moment in its work; what hangs stays.
ok "no process hangs" eval 'until_true 20 not hangs || { hangs; false; }'
is "no port is taken" "$(usbip-rpc port | grep target)" ""
ok "one more attach" attach_again
ok "one more detach" detach
on target "gadget_gone ss; rmmod dummy_hcd" >/dev/null
ok "rmmod" until_true 10 rmmod usbip-rpc-vhci

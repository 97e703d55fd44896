# SPDX-License-Identifier: GPL-2.0-or-later
# The kernel's own host controller tests, against a SourceSink gadget in the
# target, at high speed and at SuperSpeed. 15, 16, 22 and 23, for which the gadget
# has no endpoints, are in job-isoc.sh.
. /lab/session.sh

# case count length vary sglen; lengths are multiples of 1024 where a SuperSpeed
# endpoint sends, because anything else overflows by design
table='
0 50 0 0 0
1 200 1024 0 0
2 200 1024 0 0
3 100 4096 1024 0
4 100 4096 1024 0
5 40 1024 0 32
6 40 1024 0 32
7 40 4096 1024 32
8 40 4096 1024 32
9 30 0 0 0
10 30 0 0 32
11 60 1024 0 0
12 60 1024 0 0
13 30 1024 0 0
14 60 256 7 0
17 60 1024 0 0
18 60 1024 0 0
19 60 1024 0 0
20 60 1024 0 0
21 60 256 7 0
24 40 1024 0 32
25 20 1024 0 0
26 20 1024 0 0
27 20 1024 0 32
28 20 1024 0 32
29 20 1024 0 0
'

usbtest() { # SPEED WANTED-SPEED
	local dev case args
	on target ". /lab/guest.sh; gadget ss $1 SourceSink"
	ok "$1: the gadget is there" until_true 15 there 0525:a4a0 || return
	ok "$1: attach" attach "$(there 0525:a4a0)" || return
	until_true 15 eval '[ -e $(here 0525:a4a0)/*:1.0/driver ]'
	is "$1: its speed" "$(cat "$(here 0525:a4a0)/speed")" "$2"
	dev=$(here 0525:a4a0)
	dev=$(printf /dev/bus/usb/%03d/%03d "$(cat "$dev/busnum")" \
		"$(cat "$dev/devnum")")
	echo "$table" | grep . >/tmp/table
	while read -r case args <&8; do
		run_case "$1" "$dev" "$case" $args
	done 8</tmp/table
	ok "$1: detach" detach
	on target "gadget_gone ss; rmmod dummy_hcd" >/dev/null
}

run_case() { # SPEED DEVICE CASE ARGUMENT...
	local speed=$1 dev=$2 case=$3 out rc; shift 3
	out=$(timeout 120 /lab/testusb "$dev" "$case" "$@" 2>&1)
	rc=$?
	case $rc in
	0) ok "$speed: usbtest $case ($* : $out us)" true ;;
	77) skip "$speed: usbtest $case" "the gadget has no interrupt endpoint" ;;
	*)
		ok "$speed: usbtest $case ($*): $out" false
		dmesg | grep usbtest | tail -n 3 | sed 's/^/#   /'
		;;
	esac
}

modprobe usbip-rpc-vhci
modprobe usbtest
share
usbtest high 480
usbtest super 5000

# SPDX-License-Identifier: GPL-2.0-or-later
# The kernel's own host controller tests against hcd-emul, at all speeds, with
# data that is zeros and with data that is checked on both sides.
. /lab/hcd-lib.sh

# case count length vary sglen
table='
0 10 0 0 0
1 100 1024 0 0
2 100 1024 0 0
3 60 4096 512 0
4 60 4096 1024 0
5 20 1024 0 32
6 20 1024 0 32
7 20 4096 512 32
8 20 4096 1024 32
9 20 0 0 0
10 20 0 0 32
11 40 1024 0 0
12 40 1024 0 0
13 20 1024 0 0
14 40 256 7 0
17 40 1024 0 0
18 40 1024 0 0
19 40 1024 0 0
20 40 1024 0 0
21 40 256 7 0
24 20 1024 0 32
25 20 64 0 0
26 20 64 0 0
27 20 1024 0 32
28 20 1024 0 32
29 20 1024 0 0
'

# Isochronous, with the URBs that are queued at once in place of sglen. Each
# has as many packets as hold length, so that 15 and 16 have several.
isoc_table='
15 40 8192 0 8
16 40 8192 0 8
22 40 4095 0 8
23 40 4095 0 8
'

run_case() { # NAME CASE ARGUMENT...
	local name=$1 case=$2 out rc; shift 2
	out=$(timeout 120 /lab/testusb "$emul_node" "$case" "$@" 2>&1)
	rc=$?
	[ $rc != 77 ] || return 0 # not with this pattern or these endpoints
	[ $rc = 0 ] && done=$((done + 1)) && return
	ok "$name: usbtest $case ($*): $out" false
	dmesg | grep usbtest | tail -n 3 | sed 's/^/#   /'
}

# all NAME SPEED LEAST EMUL-ARGUMENT...: LEAST cases have to apply, and pass
all() {
	local name=$1 speed=$2 least=$3 case args; shift 3
	ok "$name: attach" emul "$@" || return
	ok "$name: usbtest binds" emul_ready || return
	is "$name: its speed" "$(cat "$emul_dir/speed")" "$speed"
	done=0
	while read -r case args <&8; do
		run_case "$name" "$case" $args
	done 8<$table
	ok "$name: $done cases of usbtest pass" [ $done -ge $least ]
	ok "$name: no wrong data, no wrong message" emul_stop
}

# packets NAME EMUL-ARGUMENT...: every packet looked at, both ways; the lengths
# are no multiples of 8, so that nothing falls into its place by chance
packets() {
	local name=$1; shift
	ok "$name: attach" emul "$@" || return
	ok "$name: usbtest binds" emul_ready || return
	ok "$name: isochronous IN, short and failed packets too" \
		/lab/isoc -m "$emul_node" in 40 32 1001
	note "$(cat /tmp/ok.out)"
	ok "$name: isochronous OUT" /lab/isoc "$emul_node" out 40 32 1001
	ok "$name: no wrong packet, no wrong message" emul_stop
}

echo "$table" | grep . >/tmp/table
echo "$isoc_table" | grep . >/tmp/isoc_table
table=/tmp/table
all high 480 26 -s high
all super 5000 26 -s super
all super+ 10000 26 -s super+
all full 12 26 -s full
all low 1.5 5 -s low
all single 480 26 -s high -f single
all "malformed answers" 480 26 -s high -f bad
table=/tmp/isoc_table
echo 1 >/sys/module/usbtest/parameters/alt
all "full, isochronous" 12 4 -s full
all "high, isochronous" 480 4 -s high
all "super, isochronous" 5000 4 -s super
all "super+, isochronous" 10000 4 -s super+
all "isochronous, malformed answers" 480 4 -s high -f bad
packets "full, packets" -s full -m
packets "high, packets" -s high -m
packets "super, packets" -s super -m
table=/tmp/table
rmmod usbtest
modprobe usbtest pattern=1
all "high, checked" 480 22 -s high -m
all "super, checked" 5000 22 -s super -m
rmmod usbtest
modprobe usbtest

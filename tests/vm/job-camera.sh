# SPDX-License-Identifier: GPL-2.0-or-later
# A camera: usbip-rpcd's fake one, which has a clock of its own and loses what
# nobody asks for in time. What came is right to the last word; what did not is
# what the camera itself had to give up. The driver keeps 160 ms queued: enough
# near by, and not far away without a buffer.
. /lab/session.sh

COUNTS=0xe5
id=0525:a4a8/CAMERA

video_of() { # FOLDER
	ls "$1"/*:1.0/video4linux 2>/dev/null | head -1 | grep .
}
find_video() {
	until_true 30 eval 'video=/dev/$(video_of $(here '"$id"')) &&
		[ -c $video ]'
}

# capture FRAMES SECONDS: $frames $missing $torn, and by the camera $spoilt
capture() {
	timeout 60 /lab/capture "$video" "$@" >/tmp/capture.out 2>&1
	capture_rc=$?
	set -- $(sed -n 's/^frames //p' /tmp/capture.out)
	frames=$1 missing=$3 torn=$5
	set -- $(/lab/fake "$(node_of "$(here "$id")")" ask $COUNTS 3)
	spoilt=$2 lost=$3
	cat /tmp/capture.out
	return $capture_rc
}

# Emulated machines have their bad seconds: those may take another go.
try() { # TEST FRAMES
	local i
	for i in 1 2 3 4 5; do
		capture "$2" 20 || return
		! "$1" "$2" || return 0
	done
	return 1
}
is_whole() { [ "$frames $missing $torn" = "$1 0 0" ]; }
is_half() { [ "$frames" = "$1" ] && [ $((missing * 2)) -lt "$frames" ]; }

# paced NAME COMMAND...: a point about a pace that a sanitizer kernel has not
paced() {
	local name=$1; shift
	if [ "$lab_kernel" != kasan ]; then
		ok "$name" "$@"
	else
		"$@" >/dev/null
		skip "$name" "this kernel is too slow"
	fi
}

what_came() {
	note "$where: $frames frames, $missing missing; the camera lost" \
		"$lost ms, of $spoilt frames"
	ok "$where: every word is right" [ "$capture_rc" = 0 ]
	ok "$where: what is missing the camera could not deliver" \
		[ $((missing + torn)) -le "$spoilt" ]
}

pulled() {
	/lab/capture "$video" 1000 60 >/tmp/capture.out 2>&1 &
	capture_pid=$!
	ok "pulled: it streams" until_true 20 \
		grep -q '^# begun' /tmp/capture.out
	ok "pulled: detach, as it streams" detach
	wait $capture_pid
	ok "pulled: the program hears of it" [ $? = 3 ]
	ok "pulled: the camera goes" until_true 20 not test -e "$video"
}

# far MS: that long there and back; /bin/tc is busybox's
far() {
	local delay="/sbin/tc qdisc replace dev eth0 root netem limit 10000"
	$delay delay "$(($1 / 2))ms" &&
		on target "$delay delay $(($1 / 2))ms"
}

come() { # WHERE OPTION...
	where=$1; shift
	ok "$where: attach" attach 1-1 "$@" &&
		ok "$where: uvcvideo takes it" find_video || give_up "no camera"
}

near_by() {
	come "near"
	is "near: with both interfaces" \
		"$(ls -d /sys/bus/usb/drivers/uvcvideo/*:1.[01] | wc -l)" 2
	paced "near: it streams" try is_half 30
	what_came
	ok "near: detach" detach
	come "near, buffer" --isoc-buffer 1000
	paced "$where: 5 s, and no frame is missing" try is_whole 50
	what_came
	pulled
}

far_away() {
	ok "the target is 300 ms away" far 300
	come "300 ms"
	capture 20 3 >/tmp/far.out
	what_came
	ok "300 ms: it lost what the driver did not ask for in time" \
		[ "$spoilt" -gt 5 ]
	ok "300 ms: detach" detach
	come "300 ms, buffer" --isoc-buffer 1000
	paced "$where: 3 s, and no frame is missing" try is_whole 30
	what_came
	ok "$where: detach" detach
	ok "and near again" far 0
}

modprobe uvcvideo || {
	skip "camera" "this kernel has no uvcvideo"
	exit $lab_bad
}
modprobe usbip-rpc-vhci
on target 'echo "device 1-1 camera serial=CAMERA" >/tmp/script'
share --backend fake:/tmp/script
near_by
if modprobe sch_netem 2>/dev/null; then
	far_away
else
	skip "at 300 ms" "this kernel cannot delay what it sends"
fi
unshare_all

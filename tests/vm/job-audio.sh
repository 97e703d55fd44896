# SPDX-License-Identifier: GPL-2.0-or-later
# A sound is played here; QEMU's sound card in the target writes what it hears
# to a file, and the host looks for every sample of it: at no distance, and at
# 20 ms there and back, where the driver's own queue is too short.
. /lab/session.sh

seconds=3
vid=46f4:0002

# far MS: that long there and back; /bin/tc is busybox's
far() {
	local delay="/sbin/tc qdisc replace dev eth0 root netem limit 10000"
	$delay delay "$(($1 / 2))ms" &&
		on target "$delay delay $(($1 / 2))ms" &&
		ping -c 3 target >/tmp/ping &&
		awk -F'[=/]' -v ms="$1" '/^round-trip/ { exit !($4 + 0 >= ms) }' \
			/tmp/ping
}

# The whole sound fits into the driver's buffer: how fast this guest is has no
# say in what is heard.
play() {
	timeout 120 aplay -q -D hw:0,0 --buffer-size=240000 \
		--period-size=24000 /tmp/sound.wav
}

isoc() { # MEMBER: of what port says
	usbip-rpc port --json | tr -d ' ,' |
		sed -n '/"isochronous"/,/}/s/"'"$1"'"://p'
}

# heard NAME ATTACH-OPTION...
heard() {
	local name=$1; shift
	attach_options=$*
	ok "$name: attach" attach $vid || return
	ok "$name: there is a sound card" until_true 30 test -e /dev/snd/pcmC0D0p ||
		return
	host sound-begin >/dev/null
	ok "$name: play" play
	ok "$name: every sample is heard, in its turn" \
		until_true 60 host sound "$seconds"
	note "$name: $(host sound "$seconds")"
	is "$name: no packet failed" "$(isoc failed)" 0
	is "$name: nor was late" "$(isoc late)" 0
	gaps=$(isoc gaps)
	note "$name: $(isoc out) packets, $gaps gaps"
	ok "$name: detach" detach
	until_true 20 test ! -e /dev/snd/pcmC0D0p
}

modprobe usbip-rpc-vhci
modprobe snd-usb-audio 2>/dev/null || {
	skip "a sound is heard" "this kernel has no driver of sound cards"
	exit $lab_bad
}
/lab/sound make /tmp/sound.wav $seconds
share
ok "the card is there" until_true 20 there $vid
heard "0 ms"
modprobe sch_netem 2>/dev/null || {
	skip "at 20 ms" "this kernel cannot delay what it sends"
	exit $lab_bad
}
ok "the target is 20 ms away" far 20
heard "20 ms"
ok "20 ms: which is more than the driver queues" [ "$gaps" -gt 20 ]
plain=$gaps
heard "20 ms, buffer" --isoc-buffer 60
# none, but for a host that is busier than 60 ms
ok "20 ms, buffer: the device does not run dry" [ $((gaps * 10)) -lt "$plain" ]
ok "and near again" far 0

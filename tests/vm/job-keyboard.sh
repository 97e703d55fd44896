# SPDX-License-Identifier: GPL-2.0-or-later
# Keys pressed at the target's keyboard arrive at the controller's evdev.
. /lab/session.sh

# struct input_event is 24 bytes; the last eight are type, code, value
events() {
	hexdump -v -e '24/1 "%02x" "\n"' /tmp/keys | cut -c33-
}

press() { # KEY CODE-AS-HEX: down and up have arrived
	host monitor target sendkey "$1" >/dev/null &&
		until_true 5 eval "events | grep -qx 0100${2}0001000000" &&
		until_true 5 eval "events | grep -qx 0100${2}0000000000"
}

modprobe usbip-rpc-vhci
share
ok "attach" attach "$(there 0627:0001)" || give_up "no keyboard"
until_true 10 eval 'ls -d $(here 0627:0001)/*/*/input/input*/event*'
node=$(ls -d "$(here 0627:0001)"/*/*/input/input*/event* | sed 's|.*/||')
ok "it is an input device" [ -c "/dev/input/$node" ] || give_up "no evdev"
cat "/dev/input/$node" >/tmp/keys &
reader=$!
sleep 0.5
ok "key a arrives" press a 1e
ok "key z arrives" press z 2c
ok "return arrives" press ret 1c
n=0
for key in 1 2 3 4 5 6 7 8 9 0; do
	: >/tmp/keys
	kill $reader; cat "/dev/input/$node" >/tmp/keys & reader=$!
	sleep 0.3
	press $key "$(printf %02x $((2 + n)))" && n=$((n + 1))
done
is "ten more, each once" "$n" 10
: >/tmp/keys
kill $reader
ok "detach" detach
ok "the input device goes" until_true 10 not test -e "/dev/input/$node"

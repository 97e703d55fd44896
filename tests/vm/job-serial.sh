# SPDX-License-Identifier: GPL-2.0-or-later
# A serial adapter: what is written here comes out of the far end of the line,
# and the other way round.
. /lab/session.sh

modprobe usbip-rpc-vhci
share
id=0403:6001
ok "attach" attach "$(there $id)" || give_up "no adapter"
ok "there is a port" until_true 15 test -c /dev/ttyUSB0 || give_up "no ttyUSB0"
stty -F /dev/ttyUSB0 raw -echo 115200
exec 7<>/dev/ttyUSB0
echo "over the wire" >&7
ok "a line goes out" \
	until_true 10 eval '[ "$(host serial-heard)" = "over the wire" ]'
host serial-say "and back again" >/dev/null
read -r -t 10 line <&7
is "a line comes in" "$line" "and back again"
head -c 65536 /dev/urandom >/tmp/bulk
want=$(sha256sum </tmp/bulk)
cat /tmp/bulk >&7
ok "64 KiB go out whole" \
	until_true 30 eval '[ "$(host serial-sum 65536)" = "$want" ]'
exec 7>&-
ok "detach" detach
ok "the port goes" until_true 10 not test -e /dev/ttyUSB0
rm -f /tmp/bulk

#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The helper without the module over UDP, against usbip-rpcd with fake devices.
. "$top_srcdir/tests/lib.sh"

dir=$(mktemp -d) || exit 1
daemon=
trap '[ -z "$daemon" ] || kill "$daemon" 2>/dev/null; rm -rf "$dir"' EXIT

cat >"$dir/script" <<END
device 1-2 zero serial=ZERO-A
device 1-4 isoc
device 1-6 zero id=0525:a4a6
delay 1-4 0x81 2
END
cat >"$dir/exports" <<END
1-2 *
1-4 *
END
"$top_builddir/server/usbip-rpcd" -f --no-rpcbind --listen 127.0.0.1 --lease 3 \
	-e "$dir/exports" --backend "fake:$dir/script" ${DEBUG:+-d "$DEBUG"} \
	2>"$dir/log" &
daemon=$!
port=
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
	port=$(sed -n 's/.*listening on port \([0-9]*\).*/\1/p' "$dir/log")
	[ -z "$port" ] || break
	sleep 0.2
done
[ -n "$port" ] || { cat "$dir/log"; echo "Bail out! no usbip-rpcd"; exit 1; }
timeout 300 "$top_builddir/tests/integration/attach-udp" "$port" "$daemon"
code=$?
[ $code = 0 ] || sed 's/^/# usbip-rpcd: /' "$dir/log"
exit $code

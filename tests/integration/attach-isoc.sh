#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Isochronous URBs of the helper, without the module, against usbip-rpcd with a
# fake device whose clock is ten times as slow as a bus: what takes it 10 ms is
# 1 ms to the helper, and a busy machine hurts ten times less.
. "$top_srcdir/tests/lib.sh"

dir=$(mktemp -d) || exit 1
daemon=
trap '[ -z "$daemon" ] || kill "$daemon" 2>/dev/null; rm -rf "$dir"' EXIT

cat >"$dir/script" <<END
device 1-1 isoc
delay 1-1 0x01 10
delay 1-1 0x81 10
END
echo "1-1 *" >"$dir/exports"
"$top_builddir/server/usbip-rpcd" -f --no-rpcbind --listen 127.0.0.1 --lease 30 \
	--control "$dir/control" \
	-e "$dir/exports" --backend "fake:$dir/script" 2>"$dir/log" &
daemon=$!
port=
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
	port=$(sed -n 's/.*listening on port \([0-9]*\).*/\1/p' "$dir/log")
	[ -z "$port" ] || break
	sleep 0.2
done
[ -n "$port" ] || { cat "$dir/log"; echo "Bail out! no usbip-rpcd"; exit 1; }
timeout 180 "$top_builddir/tests/integration/attach-isoc" "$port"
code=$?
[ $code = 0 ] || sed 's/^/# usbip-rpcd: /' "$dir/log"
exit $code

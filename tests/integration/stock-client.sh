#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# libtirpc's own client against the engine's test service, without rpcbind.
here=$top_builddir/tests/integration
tmp=$(mktemp -d) || exit 1
$here/engine-host serve >$tmp/port 2>$tmp/log &
pid=$!
trap 'kill $pid 2>/dev/null; rm -rf $tmp' EXIT
for i in $(seq 50); do
	[ -s $tmp/port ] && break
	sleep 0.2
done
timeout 60 $here/stock-client 127.0.0.1 $(cat $tmp/port)

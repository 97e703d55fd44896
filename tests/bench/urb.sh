#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What an URB costs: instructions from its submission by a driver to its
# completion, all of it in one guest: driver, module, helper, TCP over the
# loopback, rpc-peer. Beside it the same driver over the kernel's vhci_hcd, TCP
# and usbip-peer. Both peers are as small as can be, so that the ratio is that of
# what is on the controller. "all" is usbip-rpc with usbip-rpcd, and a device of
# its own (--backend fake), in place of rpc-peer.
#
#	urb.sh [KERNEL]		6.1 (default), 6.12
#
# In thousands. The guest's clock is the number of instructions (run --count),
# so a second run gives the same to a few per cent, however busy the host is.
# What it does not know: caches, a second processor, a network. A ratio below
# 1 is cheaper than vhci_hcd; x1 is one URB at a time, where the path is all
# latency: four changes of context and two trips through TCP for each URB; x32
# is a queue of 32, which goes in batches. Of the two passes the second is
# shown.
here=$(cd "$(dirname "$0")" && pwd)
keep=$(mktemp -d "${TMPDIR:-/tmp}/bench.XXXXXX")
trap 'rm -rf "$keep"' EXIT

"$here/../vm/run" --count -1 -k "${1:-6.1}" -t 900 --keep "$keep" \
	-a "${top_builddir:-.}/tests/bench/usbip-peer" \
	-a "${top_builddir:-.}/tests/bench/rpc-peer" "$here/job-urb.sh" \
	>"$keep/tap" || {
	cat "$keep/tap" >&2
	exit 1
}
awk '
$1 == "urb" {
	row = sprintf("%-4s %7d x%-3d", $3, $4, $5)
	if (!(row in seen)) {
		seen[row] = 1
		order[++n] = row
	}
	cost[$2, row] = $6
}
END {
	printf "%-4s %7s %-4s %10s %10s %6s %10s\n", "dir", "bytes", "",
		"usbip-rpc", "vhci_hcd", "ratio", "all"
	for (i = 1; i <= n; i++) {
		row = order[i]
		printf "%s %10.2f %10.2f %6.2f %10.2f\n", row,
			cost["rpc", row], cost["vhci", row],
			cost["rpc", row] / cost["vhci", row],
			cost["rpcd", row]
	}
}' "$keep/target.log"

#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The engine against libtirpc alone, over loopback TCP: calls in a second, and
# their ratio, for transfers of several sizes. Trust ratios, not figures.
here=${top_builddir:-.}/tests/bench
printf '%8s %4s %6s %10s %10s %6s\n' bytes dir depth stock engine ratio
for line in '64 out 1' '64 out 32' '64 in 32' '512 out 32' '4096 out 32' '4096 in 32' \
	'16384 out 16' '16384 in 16' '65536 out 8' '65536 in 8' '1048576 out 4' '1048576 in 4'
do
	set -- $line
	stock=$($here/rpc-stock $2 $1) || exit 1
	engine=$($here/rpc-engine $2 $1 $3) || exit 1
	printf '%8s %4s %6s %10s %10s %6s\n' $1 $2 $3 $stock $engine \
		$(awk "BEGIN { printf \"%.2f\", $engine / $stock }")
done

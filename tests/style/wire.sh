#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The types of the wire are those of wire.golden: who changes them adds a
# version to rpc/usbip.x, and then, in the same commit:
#	tests/style/wire.sh --print >tests/style/wire.golden
types() {
	awk '
	/#else \/\* K&R C \*\// { exit }
	{ gsub(/\/\*[^*]*\*\//, "") }
	/^#define USBIP_/ || !/^#/ { print }
	' "${top_builddir:-.}/rpc/usbip.h" |
	sed -e '/\/\*/,/\*\//d' -e '/_1_svc/!{/^extern /d}' -e 's/[[:space:]]\+/ /g' -e 's/ $//' -e '/^$/d'
}
[ "$1" = --print ] && { types; exit; }
. "$top_srcdir/tests/lib.sh"
golden=$top_srcdir/tests/style/wire.golden
same() {
	types | diff -u "$golden" - >wire.diff && { rm -f wire.diff; return; }
	sed 's/^/# /' wire.diff
	rm -f wire.diff
	return 1
}
ok "the wire is what it was" same
done_testing

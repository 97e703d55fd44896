# SPDX-License-Identifier: GPL-2.0-or-later
# Shared by the TAP shell tests; source it first.
tap_n=0 tap_bad=0
skip_all() { echo "1..0 # SKIP $*"; exit 0; }
requires() { command -v "$1" >/dev/null 2>&1 || skip_all "needs $1"; }
requires_root() { [ "$(id -u)" = 0 ] || skip_all "needs root"; }
ok() { # ok NAME COMMAND...
	name=$1; shift
	tap_n=$((tap_n + 1))
	if "$@"; then echo "ok $tap_n - $name"
	else echo "not ok $tap_n - $name"; tap_bad=1; fi
}
done_testing() { echo "1..$tap_n"; exit $tap_bad; }

#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The exports file of a daemon that runs: when it is read, and which one.
# Where the daemon has to be in the middle of it, the file is a FIFO, and we
# have its other end.
. "${top_srcdir:-.}/tests/lib.sh"
requires rpcinfo

rpcd=${top_builddir:-$PWD}/server/usbip-rpcd
dir=$(mktemp -d)
pid=
trap 'test -z "$pid" || kill -KILL "$pid" 2>/dev/null; rm -rf "$dir"' EXIT
echo '* 127.0.0.1' >"$dir/one"
printf '* 127.0.0.1\n* 127.0.0.2\n' >"$dir/two"
printf '* 127.0.0.1\n* 127.0.0.2\n* 127.0.0.3\n' >"$dir/three"

# until_true COMMAND...: 20 s at most
until_true() {
	n=200
	until "$@"; do
		n=$((n - 1))
		[ $n -gt 0 ] || return 1
		sleep 0.1
	done
}
start() { # FILE, in $dir
	: >"$dir/log"		# now: not what the one before said
	(cd "$dir" && exec "$rpcd" -f -e "$1" --backend fake --no-rpcbind \
		--listen 127.0.0.1 --control "$dir/control" 2>log) &
	pid=$!
}
says() { grep -q -- "$1" "$dir/log"; }
serves() { until_true says "listening on port"; }
# An answer: signals that were sent before have been seen, too.
answers() {
	port=$(sed -n 's/.*listening on port //p' "$dir/log")
	timeout 20 rpcinfo -a "127.0.0.1.$((port / 256)).$((port % 256))" \
		-T tcp 536874152 1 >/dev/null 2>&1
}
# Exit code of the daemon, which ends within 20 s.
ended() { ! grep -qs '^State:.[^ZX]' "/proc/$pid/status"; }
ends() { # CODE
	until_true ended || kill -KILL "$pid"
	wait "$pid"
	code=$?
	pid=
	[ $code = "$1" ]
}
stops() {
	kill "$pid"
	ends 0
}
# Of the daemon that is no child of ours.
daemon_pid() {
	for p in /proc/[0-9]*; do
		tr '\0' ' ' 2>/dev/null <"$p/cmdline" |
			grep -q "^[^ ]*usbip-rpcd .*$dir/fifo" &&
			echo "${p#/proc/}" && return
	done
}
is_reading() {
	for fd in "/proc/$pid/fd"/*; do
		[ "$(readlink "$fd")" = "$dir/fifo" ] && return
	done
	return 1
}
feed() { timeout 20 sh -c 'cat "$1" >"$2"' - "$1" "$2"; }

# a link that is turned
ln -s one "$dir/link"
start link
ok "starts from a link" serves
ln -sfn two "$dir/link"
kill -HUP "$pid"
ok "SIGHUP follows a link that was turned" until_true says "read again, 2 lines"
ok "and names it from the root" says "$dir/link: read again"
ok "ends" stops

# SIGHUP while it starts
mkfifo "$dir/fifo"
start fifo
exec 8<>"$dir/fifo"
until_true is_reading
kill -HUP "$pid"
cat "$dir/one" >&8
exec 8>&-
ok "starts in spite of SIGHUP" serves
ok "and then reads the file again" feed "$dir/two" "$dir/fifo"
ok "as it says" until_true says "read again, 2 lines"
ok "ends" stops

# the same of the first process of a daemon, which is gone by then
"$rpcd" -e "$dir/fifo" --backend fake --no-rpcbind --listen 127.0.0.1 \
	--control "$dir/control" &
pid=$!
exec 8<>"$dir/fifo"
until_true is_reading
kill -HUP "$pid"
cat "$dir/one" >&8
exec 8>&-
ok "becomes a daemon in spite of SIGHUP" ends 0
ok "which reads the file again" feed "$dir/two" "$dir/fifo"
pid=$(daemon_pid)
ok "SIGTERM" kill "$pid"
ok "ends it" until_true ended

# SIGHUP while it reads the file again
ln -sfn one "$dir/link"
start link
ok "starts" serves
ln -sfn fifo "$dir/link"
kill -HUP "$pid"
exec 8<>"$dir/fifo"
ok "reads the file at SIGHUP" until_true is_reading
ln -sfn three "$dir/link"
kill -HUP "$pid"
ok "serves meanwhile" answers
cat "$dir/two" >&8
exec 8>&-
ok "has read it" until_true says "read again, 2 lines"
ok "and reads it once more" until_true says "read again, 3 lines"

# SIGTERM while it does
ln -sfn fifo "$dir/link"
kill -HUP "$pid"
exec 8<>"$dir/fifo"
ok "reads the file at SIGHUP" until_true is_reading
ok "and ends without waiting for that" stops
exec 8>&-

done_testing

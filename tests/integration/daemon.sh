#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# usbip-rpcd as a program: its options, exit codes, and life as a daemon.
. "${top_srcdir:-.}/tests/lib.sh"
requires rpcinfo
requires flock

rpcd=${top_builddir:-.}/server/usbip-rpcd
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
echo '* 127.0.0.1' >"$dir/exports"
echo '* nonsense(rw)' >"$dir/wrong"

# exits CODE OPTION...: stops with this code, within 10 s
exits() {
	code=$1; shift
	timeout 10 "$rpcd" --control "$dir/run/control" "$@" >"$dir/out" 2>&1
	[ $? = "$code" ]
}
says() { grep -q -- "$1" "$dir/out"; }

# A port that was free a moment ago.
free_port() {
	port=$((20000 + $$ % 20000))
	while grep -q ":$(printf %04X $port) " /proc/net/tcp /proc/net/tcp6 \
			2>/dev/null; do
		port=$((port + 1))
	done
	echo $port
}
answers() { # PORT
	rpcinfo -a "127.0.0.1.$(($1 / 256)).$(($1 % 256))" -T tcp 536874152 1 \
		>/dev/null 2>&1
}
# The process that has our exports file as an argument and is no shell.
daemon_pid() {
	for p in /proc/[0-9]*; do
		tr '\0' ' ' 2>/dev/null <"$p/cmdline" |
			grep -q "^[^ ]*usbip-rpcd .*$dir/exports" &&
			echo "${p#/proc/}" && return
	done
	return 1
}
gone() {
	for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		daemon_pid >/dev/null || return 0
		sleep 0.1
	done
	return 1
}

ok "--help" exits 0 --help
ok "--help names the tags, and none of the controller's" \
	says ": rpc,net,session,device,urb; or all"
ok "--version" exits 0 --version
ok "output that can not be written is a failure" eval \
	'"$rpcd" --help >/dev/full 2>&1; [ $? = 1 ]'
ok "an unknown option is wrong usage" exits 2 --nonsense
ok "so is an argument" exits 2 nonsense
for bad in --port=70000 --port=-1 --port=x --lease=0 --lease=x \
		--backend=none --debug=none --control=here --json; do
	ok "$bad is wrong usage" exits 2 "$bad"
	ok "and it says of what" says "${bad%%=*}"
done
ok "--sessions and --revoke are two" exits 2 --sessions --revoke 1-1
ok "--check of a good file" exits 0 --check -e "$dir/exports"
ok "--check of a wrong one" exits 3 --check -e "$dir/wrong"
ok "and where it is wrong" says "wrong:1: not an option: rw"
ok "no exports file" exits 3 -f -e "$dir/none" --backend fake
ok "and what that means" says "nothing is exported"
ok "a directory is no exports file" exits 3 --check -e "$dir"
ok "and it says so" says "$dir: .*Is a directory"
ok "nor to serve by" exits 3 -f -e "$dir" --backend fake
ok "it says so, too" says "$dir: .*Is a directory"
ok "a script that is not there" \
	exits 1 -f -e "$dir/exports" --backend "fake:$dir/none" --no-rpcbind
ok "an address that is not ours" exits 1 -f -e "$dir/exports" \
	--backend fake --no-rpcbind --listen 192.0.2.1
ok "nor is one of the same network" exits 1 -f -e "$dir/exports" \
	--backend fake --no-rpcbind --listen ::1 --listen ::2
ok "an address that is none" exits 1 -f -e "$dir/exports" \
	--backend fake --no-rpcbind --listen 10.0.0.300.
ok "and it says which" says "--listen 10.0.0.300.: "
ok "and not that a port could not be had" eval '! says "can not listen"'

port=$(free_port)
# with the lock that a script holds while it starts services
exec 9>"$dir/lock"
flock 9
ok "becomes a daemon" \
	exits 0 -e "$dir/exports" --backend fake --no-rpcbind --port "$port"
exec 9>&-
ok "and keeps no file open that is not its own" flock -n "$dir/lock" true
ok "and serves when it says so" answers "$port"
ok "its port is taken" exits 1 -f -e "$dir/exports" --backend fake \
	--no-rpcbind --port "$port"
ok "and it says by what" says "is another usbip-rpcd running"
ok "so it is as a daemon" exits 1 -e "$dir/exports" --backend fake \
	--no-rpcbind --port "$port"
ok "SIGTERM" kill "$(daemon_pid)"
ok "ends it" gone
ok "it serves no longer" eval '! answers "$port"'
ok "--listen, twice the same" exits 0 -e "$dir/exports" --backend fake \
	--no-rpcbind --port "$port" --listen 127.0.0.1 --listen localhost
ok "is once" answers "$port"
kill "$(daemon_pid)"
gone
ok "--listen ::1 is not 127.0.0.1" exits 0 -e "$dir/exports" --backend fake \
	--no-rpcbind --port "$port" --listen ::1
ok "as it says" eval '! answers "$port"'
kill "$(daemon_pid)"
gone
done_testing

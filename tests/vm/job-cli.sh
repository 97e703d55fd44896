# SPDX-License-Identifier: GPL-2.0-or-later
# What a person types before any device moves, and what it says when it cannot.
. /lab/session.sh

fails_saying() { # PATTERN COMMAND...
	local pattern=$1 out; shift
	out=$("$@" 2>&1) && { echo "it succeeded: $out"; return 1; }
	echo "$out"
	echo "$out" | grep -Eiq "$pattern"
}

ok "without the module, attach says what to load" \
	fails_saying 'usbip-rpc-vhci' usbip-rpc attach -r target -b 1-1
ok "the module loads" modprobe usbip-rpc-vhci
ok "its device node is there" until_true 10 test -c /dev/usbip-rpc-vhci
is "and root's alone" "$(stat -c %a /dev/usbip-rpc-vhci)" 600
ok "without rpcbind at the host, list says so" \
	fails_saying 'rpcbind' usbip-rpc list -r target
on target 'rpcbind -w'
ok "without the service, list says so" \
	fails_saying 'not registered|usbip-rpcd' usbip-rpc list -r target
ok "usbip-rpcd starts and answers NULL to libtirpc" share
ok "rpcinfo -p shows it" \
	sh -c "rpcinfo -p target | grep -E '^ *$program +1 +tcp'"
ok "a wrong version is refused with the range" \
	fails_saying 'low version = 1, high version = 1' \
	rpcinfo -t target $program 9
bus=$(there 0627:0001)
ok "list shows the keyboard by its bus id" \
	sh -c "usbip-rpc list -r target | grep -F '$bus' | grep -F 0627:0001"
ok "list --json is JSON with it" \
	sh -c "usbip-rpc list -r target --json | tr -d ' \n' | grep -F '\"$bus\"'"
ok "a device that is not there" \
	fails_saying 'no such device|no device' usbip-rpc attach -r target -b 9-9
ok "an ambiguous name is refused with the candidates" \
	fails_saying '[0-9]-[0-9]' usbip-rpc attach -r target -b 46f4:0001
ok "a host that is not there" \
	fails_saying 'nowhere' usbip-rpc list -r nowhere
ok "attach the keyboard" attach "$bus"
ok "port shows it with the target" \
	sh -c "usbip-rpc port | grep -F target"
ok "port --json too" sh -c "usbip-rpc port --json | grep -F target"
ok "list says who has it" \
	sh -c "usbip-rpc list -r target | grep -F '$bus' | grep -Ei 'claimed|busy|controller|10.9.0.2'"
ok "a second attach is refused, saying who has it" \
	fails_saying 'busy|claimed|controller|10.9.0.2' usbip-rpc attach -r target -b "$bus"
ok "detach" detach
ok "and nothing is at that port" fails_saying . usbip-rpc detach -p "$port"
on target "echo '46f4:0001 10.9.0.0/24' >/etc/usbip-rpc/exports
	kill -HUP \$(pidof usbip-rpcd)"
ok "after a change and SIGHUP it is not exported" until_true 5 \
	fails_saying 'not exported|permission' usbip-rpc attach -r target -b "$bus"
on target "echo '*  10.9.0.0/24' >/etc/usbip-rpc/exports
	kill -HUP \$(pidof usbip-rpcd)"

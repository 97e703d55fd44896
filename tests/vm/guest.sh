# SPDX-License-Identifier: GPL-2.0-or-later
#
# The verbs of a lab job. A job is a piece of shell that init runs in the
# controller (or in the only guest) with this file read already:
#
#   ok NAME COMMAND...      one test point: did COMMAND succeed
#   is NAME GOT WANT        one test point: are they the same
#   skip NAME WHY           one test point that cannot be had here
#   note TEXT...            a line for whoever reads the output
#   on HOST SCRIPT...       run shell text in another guest; its output, status
#   spawn NAME COMMAND...   a daemon in this guest, logging to /tmp/NAME.log
#   tap COMMAND...       a program that prints TAP itself; its points are ours
#   until_true S COMMAND... try again until it succeeds, at most S seconds
#   host VERB...            ask the host: see host_verb in ./run
#
# Nothing below sleeps for a fixed time to wait for a fact.

lab_bad=0

ok() { # NAME COMMAND...
	local what=$1; shift
	if "$@" >/tmp/ok.out 2>&1; then
		echo "ok - $what"
	else
		echo "not ok - $what"
		echo "#   failed: $*"
		sed 's/^/#   /' /tmp/ok.out | tail -20
		lab_bad=1
		return 1
	fi
}

is() { # NAME GOT WANT
	ok "$1" [ "$2" = "$3" ] || { echo "#   got '$2', want '$3'"; return 1; }
}

# not COMMAND...: for ok, which takes a command and not a pipeline
not() { ! "$@"; }

skip() { # NAME WHY
	echo "ok - $1 # SKIP $2"
}

note() { echo "# $*"; }

tap() { # COMMAND...
	"$@" >/tmp/tap.out 2>&1 || lab_bad=1
	sed -E 's/^(not )?ok [0-9]+ - /\1ok - /; /^1\.\./d' /tmp/tap.out
	grep -q '^1\.\.' /tmp/tap.out || ok "$1 ran to its end" false
}

# Ends the job. For when nothing behind this point makes sense.
give_up() { echo "not ok - gave up: $*"; exit 1; }

until_true() { # SECONDS COMMAND...
	local end=$(($(cut -d. -f1 /proc/uptime) + $1)); shift
	until "$@" >/dev/null 2>&1; do
		[ "$(cut -d. -f1 /proc/uptime)" -lt $end ] || return 1
		sleep 0.2
	done
}

on() { # HOST SCRIPT...
	local host=$1 out rc; shift
	out=$(printf '%s\n' "$*" | nc "$host" 514 2>&1)
	case $out in
	*@rc=*) ;;
	*) echo "on $host: no answer"; return 255 ;;
	esac
	rc=${out##*@rc=}
	out=${out%@rc=*}
	printf '%s' "${out%?}"
	return "$rc"
}

spawn() { # NAME COMMAND...
	local log=/tmp/$1.log; shift
	setsid "$@" </dev/null >>"$log" 2>&1 &
}

host() { # VERB ARG...
	local answer
	echo "@host $lab_nonce $*" >/dev/ttyS1
	read -r answer </dev/ttyS1
	case $answer in
	"ok "*) echo "${answer#ok }" ;;
	*) echo "$answer"; return 1 ;;
	esac
}

# A gadget made by configfs on dummy_hcd: the devices that QEMU has not got.
# gadget NAME SPEED FUNCTION...: SPEED is high or super; FUNCTION as configfs
# knows it: SourceSink, Loopback, acm, ...
gadget() {
	local g=/sys/kernel/config/usb_gadget/$1 super=0 f
	[ "$2" != super ] || super=1
	modprobe libcomposite || return
	mountpoint -q /sys/kernel/config ||
		mount -t configfs configfs /sys/kernel/config || return
	[ -d /sys/module/dummy_hcd ] ||
		modprobe dummy_hcd is_super_speed=$super || return
	mkdir -p "$g/strings/0x409" "$g/configs/c.1"
	echo 0x0525 >"$g/idVendor"
	echo 0xa4a0 >"$g/idProduct"
	echo LAB1 >"$g/strings/0x409/serialnumber"
	echo "lab $1" >"$g/strings/0x409/product"
	shift 2
	for f in "$@"; do
		mkdir "$g/functions/$f.0" || return
		ln -s "$g/functions/$f.0" "$g/configs/c.1/"
	done
	ls /sys/class/udc | grep dummy | head -1 >"$g/UDC"
}

gadget_gone() { # NAME
	local g=/sys/kernel/config/usb_gadget/$1
	echo >"$g/UDC"
	rm -f "$g"/configs/c.1/*.*
	rmdir "$g"/functions/* "$g"/configs/c.1 "$g"/strings/0x409 "$g"
}

# bus_id VID:PID: where this guest has it, as list and attach name it.
bus_id() {
	local d
	for d in /sys/bus/usb/devices/*; do
		[ -e "$d/idVendor" ] || continue
		[ "$(cat "$d/idVendor"):$(cat "$d/idProduct")" = "$1" ] ||
			continue
		echo "${d##*/}"
		return
	done
	return 1
}

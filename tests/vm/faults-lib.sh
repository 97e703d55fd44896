# SPDX-License-Identifier: GPL-2.0-or-later
#
# What the jobs that break things share, on top of session.sh: a disk under a
# load that checks every byte, a serial line with numbered lines both ways, what
# is said to whom, and that nothing is left behind.
#
#   take_disk             attach the stick; $disk, $disk_port, $helper
#   load_begins, load_goes_on, load_ends
#   load_is ERRORS        how it ended: wrong data never, ERRORS 0 or some
#   take_line             attach the serial adapter; it is fd 7, $line_port
#   lines_begin, lines_end, lines_are_whole
#   from_here             what is said is looked for from here on:
#   here_is_said PATTERN  in this system's log, within 15 s
#   there_is_said PATTERN by usbip-rpcd
#   fails_saying PATTERN COMMAND...
#   nothing_left          of all that was attached, here and at the target

stick=46f4:0001/LAB-stick-hs adapter=0403:6001 keyboard=0627:0001

# ---- a disk ----------------------------------------------------------------

find_disk() {
	until_true 30 eval 'disk=$(disk_of $(here $stick)) &&
		[ -b /dev/$disk ] && [ "$(cat /sys/block/$disk/size)" -gt 0 ]'
}

helper_of() { # PORT
	usbip-rpc port -p "$1" --json | sed -n 's/.*"pid": *\([0-9]*\).*/\1/p'
}

take_disk() {
	until_true 20 target_disk_of $stick
	until_true 20 attach "$(there $stick)" ||
		attach "$(there $stick)" || return
	disk_port=$port
	helper=$(helper_of "$port")
	find_disk
}

load_begins() {
	rm -f /tmp/load.out
	/lab/diskload -d 8 -k 32 -n 1000000 "/dev/$disk" >/tmp/load.out 2>&1 &
	load_pid=$!
	until_true 30 grep -q '^# begun' /tmp/load.out
}

# Something is done that was not begun yet when this was called.
load_goes_on() {
	local before
	before=$(cat "/sys/block/$disk/stat")
	until_true 20 eval '[ "$(cat "/sys/block/$disk/stat")" != "$before" ]' &&
		kill -0 $load_pid
}

load_ends() {
	kill $load_pid 2>/dev/null
	until_true 60 not kill -0 $load_pid
}

load_is() { # ERRORS: 0, or some
	cat /tmp/load.out
	case $1 in
	0) grep -q '^wrong 0 errors 0 ' /tmp/load.out ;;
	*) grep -q '^wrong 0 errors [1-9]' /tmp/load.out ;;
	esac
}

# ---- a serial line ---------------------------------------------------------

take_line() {
	until_true 20 attach "$(there $adapter)" ||
		attach "$(there $adapter)" || return
	line_port=$port
	until_true 15 test -c /dev/ttyUSB0 || return
	stty -F /dev/ttyUSB0 raw -echo 115200
	exec 7<>/dev/ttyUSB0
}

# A line is its number and what follows from that: ./run's host checks them.
lines_begin() {
	rm -f /tmp/lines.stop /tmp/lines.out
	cat <&7 >/tmp/lines.in &
	lines_reader=$!
	# before the first line leaves: what the host hears from here on is checked
	host lines-begin >/dev/null
	(n=0
	until [ -e /tmp/lines.stop ]; do
		n=$((n + 1))
		printf '%08d %010d\n' $n $((n * 2654435761 % 4294967296)) ||
			break
		[ $((n % 5)) != 0 ] || sleep 0.05
	done >&7
	echo $n >/tmp/lines.out) &
}

lines_end() {
	lines_told=$(host lines-end) || { echo "$lines_told"; return 1; }
	: >/tmp/lines.stop
	until_true 30 test -s /tmp/lines.out || return
	until_true 30 eval '[ "$(wc -l </tmp/lines.in)" -ge "$lines_told" ]'
	kill $lines_reader
	until_true 30 host lines-heard "$(cat /tmp/lines.out)"
}

lines_are_whole() { # AT-LEAST
	echo "$(cat /tmp/lines.out) out, $lines_told in"
	host lines-heard "$(cat /tmp/lines.out)" || return
	[ "$(cat /tmp/lines.out)" -ge "$1" ] || return
	[ "$lines_told" -ge "$1" ] || return
	awk -v want="$lines_told" '
		$0 != sprintf("%08d %010.0f", NR, NR * 2654435761 % 4294967296) {
			print "line " NR " is: " $0
			exit bad = 1
		}
		END { exit bad || NR != want }' /tmp/lines.in
}

# ---- what is said ----------------------------------------------------------

from_here() {
	log_from=$(($(wc -l </tmp/syslog) + 1))
	there_from=$(($(on target 'wc -l </tmp/usbip-rpcd.log') + 1))
}

here_is_said() { # PATTERN
	local pattern=$1
	until_true 15 eval \
		'tail -n +$log_from /tmp/syslog | grep -Eq "$pattern"' && return
	tail -n "+$log_from" /tmp/syslog
	return 1
}

there_is_said() { # PATTERN
	until_true 15 on target \
		"tail -n +$there_from /tmp/usbip-rpcd.log | grep -Eq '$1'" &&
		return
	on target "tail -n +$there_from /tmp/usbip-rpcd.log"
	return 1
}

fails_saying() { # PATTERN COMMAND...
	local pattern=$1 out; shift
	out=$("$@" 2>&1) && { echo "it succeeded: $out"; return 1; }
	echo "$out"
	echo "$out" | grep -Eiq "$pattern"
}

# ---- the end ---------------------------------------------------------------

is_nothing_here() {
	[ -z "$(pidof usbip-rpc)" ] && [ -z "$(vhci)" ] &&
		[ -z "$(usbip-rpc port)" ]
}

# Whatever was claimed is not, and its own driver has it.
is_nothing_there() {
	! usbip-rpc list -r target | grep -i claimed &&
		target_disk_of $stick >/dev/null
}

nothing_left() {
	until_true 30 is_nothing_here && until_true 30 is_nothing_there && return
	ps -o pid,stat,args | grep usbip-rpc
	vhci
	usbip-rpc port
	usbip-rpc list -r target
	return 1
}

# ---- the beginning ---------------------------------------------------------

# Helpers log to the system's log, so there is one.
begin_faults() { # OPTION-OF-USBIP-RPCD...
	modprobe usbip-rpc-vhci
	spawn syslogd syslogd -n -O /tmp/syslog
	until_true 10 test -S /dev/log
	: >>/tmp/syslog
	share "$@"
}

end_faults() {
	kill $(pidof syslogd)
	ok "rmmod" until_true 10 rmmod usbip-rpc-vhci
	unshare_all
}

# SPDX-License-Identifier: GPL-2.0-or-later
#
# The host's side of a run, for ./run: listen to the guests, do what their jobs
# ask for, and see when they are gone. Uses $work, $nonce and the pid_* of run.

# serve_guest NAME: read what init and the jobs of a guest print until the guest
# is gone. Test points of the guest that runs the jobs are numbered and printed
# as they come, the rest goes to the log; requests are answered.
serve_guest() {
	exec 4>"$work/$1.tty.in"
	n=0 bad=0 job=
	: >"$work/$1.log"
	while IFS= read -r line; do
		case $line in
		"@host $nonce "*)
			set_answer "$1" ${line#"@host $nonce "}
			echo "$answer" >&4
			;;
		"@job "*)
			job=${line#@job }
			job=${job%.sh} job=${job#job-}
			[ -n "$quiet$narrate" ] || echo "# job $job"
			;;
		"ok - "* | "not ok - "*)
			n=$((n + 1))
			[ "${line%% *}" = ok ] || bad=1
			[ -n "$quiet" ] || [ -n "$narrate" -a "${line%% *}" = ok ] ||
				echo "${line%% - *} $n - $job: ${line#* - }"
			;;
		"@say "*) [ -z "$narrate" ] || printf '%s\n' "${line#@say }" ;;
		"#"*) [ -n "$quiet" ] || printf '%s\n' "$line" ;;
		esac
		printf '%s\n' "$line" >>"$work/$1.log"
	done
	echo "$n $bad" >"$work/$1.points"
}

# A line is its number and what follows from that: faults-lib.sh checks them.
tell_lines() {
	told=0
	until [ -e "$work/lines.stop" ]; do
		told=$((told + 1))
		printf '%08d %010d\n' $told $((told * 2654435761 % 4294967296)) ||
			return
		[ $((told % 5)) != 0 ] || sleep 0.05
	done
	echo $told >"$work/lines.told"
}

check_lines() { # HOW-MANY
	awk -v want="$1" '
		$0 != sprintf("%08d %010.0f", NR, NR * 2654435761 % 4294967296) {
			print "line " NR " is: " $0
			exit bad = 1
		}
		END {
			if (bad || NR != want)
				print NR " lines, want " want
			exit bad || NR != want
		}' | tail -1 | grep . && return 1
	echo "$1"
}

# set_answer GUEST VERB ARG...: do it; $answer becomes one line, "ok ..." or why not
set_answer() {
	guest=$1 verb=$2; shift 2
	case $verb in
	monitor) # GUEST COMMAND...: a line for QEMU's monitor
		g=$1; shift
		if [ -p "$work/$g.mon.in" ] &&
			timeout 5 sh -c "echo '$*' >'$work/$g.mon.in'"; then
			answer="ok $*"
		else
			answer="no monitor of $g"
		fi
		;;
	serial-say) # TEXT: on the far end of the serial adapter's line
		if timeout 5 sh -c "printf '%s\n' '$*' >'$work/serial.in'"; then
			answer="ok $*"
		else
			answer="nobody at the serial line"
		fi
		;;
	serial-heard) # the last line that came from the serial adapter
		answer="ok $(tail -1 "$work/serial.log")"
		;;
	serial-sum) # BYTES: the checksum of the last so many that came
		answer="ok $(tail -c "$1" "$work/serial.log" | sha256sum)"
		;;
	lines-begin) # numbered lines, into the serial adapter's line
		lines_from=$(stat -c %s "$work/serial.log")
		rm -f "$work/lines.stop" "$work/lines.told"
		tell_lines >"$work/serial.in" &
		pids="$pids $!"
		answer="ok"
		;;
	lines-end) # how many there were
		: >"$work/lines.stop"
		answer="the line takes nothing"
		for i in $(seq 200); do
			[ ! -s "$work/lines.told" ] || {
				answer="ok $(cat "$work/lines.told")"
				break
			}
			sleep 0.1
		done
		;;
	lines-heard) # N: since lines-begin, and no others
		answer=$(tail -c "+$((lines_from + 1))" "$work/serial.log" |
			check_lines "$1") && answer="ok $answer"
		;;
	file-sum) # FILE: the checksum of a file that the host keeps
		answer="ok $(sha256sum <"$work/$1")"
		;;
	sound-begin) # what the sound card hears from here on
		sound_from=$(stat -c %s "$work/sound.wav")
		answer="ok $sound_from"
		;;
	sound) # SECONDS: was the sound of sound.c heard, all of it in its turn
		if answer=$("$build/tests/vm/sound" check "$work/sound.wav" \
				"$1" "$sound_from" 2>&1); then
			answer="ok $answer"
		fi
		;;
	result) # 0|1: how the jobs of this guest ended
		[ "$1" = 0 ] || bad=1
		echo "$1" >"$work/$guest.result"
		answer="ok $1"
		;;
	clock) # the host's: a guest's own lies under emulation
		answer="ok $(date +%s.%N)"
		;;
	*) answer="the host knows no $verb" ;;
	esac
}

# await_guests: return when the guests are gone. When the one that runs the jobs
# is, the other has a few seconds to follow; timeout(1) bounds them all.
await_guests() {
	eval "wait \$pid_$main" || :
	for g in $guests; do
		eval "p=\$pid_$g"
		for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
			kill -0 "$p" 2>/dev/null || break
			sleep 0.5
		done
		kill "$p" 2>/dev/null
	done
	# Their last words are in the pipes; a guest that never opened its
	# pipes leaves a reader that waits for ever.
	for g in $guests; do
		eval "p=\$serve_$g"
		for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
			kill -0 "$p" 2>/dev/null || break
			sleep 0.1
		done
		kill "$p" 2>/dev/null
	done
}

# SPDX-License-Identifier: GPL-2.0-or-later
# Print functions longer than MAX lines; relies on { and } in the first column.
FNR == 1 { start = 0 }
/^[A-Za-z_].*\(/ { name = $0 }
/^\{/ { start = FNR; who = name }
/^\}/ {
	if (start && FNR - start + 1 > MAX) {
		printf "%s:%d: %d lines: %s\n", FILENAME, start, FNR - start + 1, who
		bad = 1
	}
	start = 0
}
END { exit bad }

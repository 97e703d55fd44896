# SPDX-License-Identifier: GPL-2.0-or-later
# What the target does in a run with two guests: wait for commands (init serves
# them already) until the controller says that it is done.
until [ -e /run/lab-done ]; do
	sleep 0.2
done

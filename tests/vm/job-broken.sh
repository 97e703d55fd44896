# SPDX-License-Identifier: GPL-2.0-or-later
# For ./check: what the lab must notice. Passes nowhere.
ok "a point that fails" false
echo "<1>WARNING: this is what a kernel's complaint looks like" >/dev/kmsg
exit 7

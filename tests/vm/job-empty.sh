# SPDX-License-Identifier: GPL-2.0-or-later
# The base: both guests are up, hear each other, and this side can ask the host.
ok "the target answers a ping" until_true 20 ping -c 1 -W 2 target
is "a command runs in the target" "$(on target hostname)" target
is "a command's failure comes back" "$(on target 'echo x; false'; echo $?)" \
"x
1"
ok "the host answers" host clock

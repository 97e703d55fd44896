#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# How transfers end, and streams, as the kernel sees it.
program=attach-ends
. "$top_srcdir/tests/integration/attach.sh"

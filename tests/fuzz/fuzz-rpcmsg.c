// SPDX-License-Identifier: GPL-2.0-or-later
/* The headers of calls and replies, and AUTH_SYS. */
#include <stdlib.h>

#include "common/rpcmsg.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rpcmsg_auth cred = { .flavor = AUTH_SYS, .len = size, .body = data };
	struct rpcmsg_call call;
	struct rpcmsg_reply reply;
	struct rpcmsg_sys sys;

	if (!rpcmsg_parse_call(&call, data, size)) {
		if (call.args > size || call.args % 4 || call.cred.len > MAX_AUTH_BYTES ||
		    call.cred.body < data || call.cred.body + call.cred.len > data + size)
			abort();
		if (call.cred.flavor == AUTH_SYS)
			rpcmsg_parse_sys(&sys, &call.cred);
	}
	if (!rpcmsg_parse_reply(&reply, data, size) && (reply.results > size || reply.results % 4))
		abort();
	if (size <= MAX_AUTH_BYTES && !rpcmsg_parse_sys(&sys, &cred) &&
	    sys.n_gids > RPCMSG_GIDS_MAX)
		abort();
	return 0;
}

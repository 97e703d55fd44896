// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rpcmsg - the headers of calls and replies, taken apart in memory.
 */
#include "common/rpcmsg.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* What is left of a message. Once `bad`, it gives zeros only. */
struct reader {
	const uint8_t *pos, *end;
	bool bad;
};

static uint32_t read_word(struct reader *r)
{
	const uint8_t *p = r->pos;

	if (r->end - p < 4) {
		r->bad = true;
		r->pos = r->end;
		return 0;
	}
	r->pos += 4;
	return (uint32_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
}

/* len bytes, and what fills the last word of theirs. NULL: not there, or
 * more than max. */
static const uint8_t *read_bytes(struct reader *r, uint32_t len, uint32_t max)
{
	const uint8_t *p = r->pos;

	if (len > max || (size_t)(r->end - p) < RNDUP((size_t)len)) {
		r->bad = true;
		r->pos = r->end;
		return NULL;
	}
	r->pos += RNDUP((size_t)len);
	return p;
}

static void read_auth(struct reader *r, struct rpcmsg_auth *auth)
{
	auth->flavor = read_word(r);
	auth->len = read_word(r);
	auth->body = read_bytes(r, auth->len, MAX_AUTH_BYTES);
}

int rpcmsg_parse_call(struct rpcmsg_call *call, const void *data, size_t len)
{
	struct reader r = { data, (const uint8_t *)data + len, false };

	memset(call, 0, sizeof(*call));
	call->xid = read_word(&r);
	if (read_word(&r) != CALL)
		return -EBADMSG;
	if (read_word(&r) != RPC_MSG_VERSION)
		return r.bad ? -EBADMSG : RPCMSG_E_VERSION;
	call->prog = read_word(&r);
	call->vers = read_word(&r);
	call->proc = read_word(&r);
	read_auth(&r, &call->cred);
	read_auth(&r, &call->verf);
	call->args = r.pos - (const uint8_t *)data;
	return r.bad ? -EBADMSG : 0;
}

int rpcmsg_parse_sys(struct rpcmsg_sys *sys, const struct rpcmsg_auth *cred)
{
	struct reader r = { cred->body, cred->body + cred->len, false };
	const uint8_t *machine;
	uint32_t len;

	memset(sys, 0, sizeof(*sys));
	read_word(&r);			/* a stamp, of no meaning */
	len = read_word(&r);
	machine = read_bytes(&r, len, RPCMSG_MACHINE_MAX);
	if (!machine)
		return -EBADMSG;
	memcpy(sys->machine, machine, len);
	sys->uid = read_word(&r);
	sys->gid = read_word(&r);
	len = read_word(&r);
	if (len > RPCMSG_GIDS_MAX)
		return -EBADMSG;
	for (uint32_t i = 0; i < len; i++)
		sys->gids[i] = read_word(&r);
	sys->n_gids = len;
	return r.bad ? -EBADMSG : 0;
}

static void read_accepted(struct reader *r, struct rpc_err *err)
{
	switch (read_word(r)) {
	case SUCCESS:
		err->re_status = RPC_SUCCESS;
		break;
	case PROG_UNAVAIL:
		err->re_status = RPC_PROGUNAVAIL;
		break;
	case PROG_MISMATCH:
		err->re_status = RPC_PROGVERSMISMATCH;
		err->re_vers.low = read_word(r);
		err->re_vers.high = read_word(r);
		break;
	case PROC_UNAVAIL:
		err->re_status = RPC_PROCUNAVAIL;
		break;
	case GARBAGE_ARGS:
		err->re_status = RPC_CANTDECODEARGS;
		break;
	case SYSTEM_ERR:
		err->re_status = RPC_SYSTEMERROR;
		break;
	default:
		r->bad = true;
	}
}

static void read_denied(struct reader *r, struct rpc_err *err)
{
	switch (read_word(r)) {
	case RPC_MISMATCH:
		err->re_status = RPC_VERSMISMATCH;
		err->re_vers.low = read_word(r);
		err->re_vers.high = read_word(r);
		break;
	case AUTH_ERROR:
		err->re_status = RPC_AUTHERROR;
		err->re_why = (enum auth_stat)read_word(r);
		break;
	default:
		r->bad = true;
	}
}

int rpcmsg_parse_reply(struct rpcmsg_reply *reply, const void *data, size_t len)
{
	struct reader r = { data, (const uint8_t *)data + len, false };

	memset(reply, 0, sizeof(*reply));
	reply->xid = read_word(&r);
	if (read_word(&r) != REPLY)
		return -EBADMSG;
	switch (read_word(&r)) {
	case MSG_ACCEPTED:
		read_auth(&r, &reply->verf);
		read_accepted(&r, &reply->err);
		break;
	case MSG_DENIED:
		read_denied(&r, &reply->err);
		break;
	default:
		return -EBADMSG;
	}
	reply->results = r.pos - (const uint8_t *)data;
	return r.bad ? -EBADMSG : 0;
}

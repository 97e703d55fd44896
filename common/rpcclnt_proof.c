// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rpcclnt_proof - that a caller by datagrams is where it says, shown to the
 * peer by the cookie that the peer has sent there.
 *
 * A call that is refused, since its address was not proved or no longer is,
 * waits until a NULL call has brought another cookie, gets it written into its
 * header, and goes again under another id: so that late copies of the refusal
 * are not for it.
 */
#include "common/rpcclnt_impl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

/* Bytes of a call's header before its credential, and of the latter's own. */
#define BEFORE_CRED (6 * BYTES_PER_XDR_UNIT)
#define CRED_HEADER (2 * BYTES_PER_XDR_UNIT)
/* For the NULL call that brings a new cookie. */
#define PROVE_TIMEOUT_MS 10000

void rpcclnt_proof_keep(struct rpcclnt *clnt, const struct rpcmsg_auth *verf)
{
	if (verf->flavor != AUTH_SHORT || !verf->len)
		return;
	memcpy(clnt->cookie, verf->body, verf->len);
	clnt->cookie_len = verf->len;
}

/* The credential of AUTH_SHORT, to be written to a call. Returns its bytes. */
static size_t make_cred(const struct rpcclnt *clnt,
			uint8_t cred[CRED_HEADER + MAX_AUTH_BYTES])
{
	const uint32_t header[] = {
		htonl(AUTH_SHORT), htonl(clnt->cookie_len),
	};
	size_t len = RNDUP(clnt->cookie_len);

	memset(cred, 0, CRED_HEADER + len);
	memcpy(cred, header, sizeof(header));
	memcpy(cred + CRED_HEADER, clnt->cookie, clnt->cookie_len);
	return CRED_HEADER + len;
}

bool_t rpcclnt_proof_put(XDR *xdrs, const struct rpcclnt *clnt)
{
	uint8_t cred[CRED_HEADER + MAX_AUTH_BYTES];
	size_t len = make_cred(clnt, cred);

	return XDR_PUTBYTES(xdrs, (char *)cred, len) &&
	       xdr_opaque_auth(xdrs, &_null_auth);
}

/* Write the new cookie into a call, and another id. */
static bool renew_header(struct rpcclnt_call *call)
{
	struct rpcclnt *clnt = call->clnt;
	uint8_t cred[CRED_HEADER + MAX_AUTH_BYTES];
	size_t len = make_cred(clnt, cred);
	uint32_t xid;

	if (gather_replace(call->message, GATHER_MARK + BEFORE_CRED,
			   CRED_HEADER + call->cred, cred, len))
		return false;
	call->cred = len - CRED_HEADER;
	rpcclnt_rename(call);
	xid = htonl(call->xid);
	return !gather_replace(call->message, GATHER_MARK, sizeof(xid), &xid,
			       sizeof(xid));
}

static struct rpcclnt_call *find_proving(struct rpcclnt *clnt)
{
	struct rpcclnt_call *call;

	TAILQ_FOREACH(call, &clnt->calls, link)
		if (call->proving)
			return call;
	return NULL;
}

/* There is a new cookie, or it was not to be had. False: clnt is gone. */
static bool end_proving(struct rpcclnt *clnt, bool proved)
{
	struct rpcclnt_call *call;

	clnt->proving = false;
	while ((call = find_proving(clnt))) {
		call->proving = false;
		if (proved && renew_header(call))
			rpcclnt_dgram_send_anew(call);
		else if (!rpcclnt_fail_call(call, RPC_TIMEDOUT, ETIMEDOUT))
			return false;
	}
	return true;
}

static void on_proved(const struct rpc_err *err, void *user)
{
	struct rpcclnt *clnt = user;

	if (!clnt->ended)
		end_proving(clnt, err->re_status == RPC_SUCCESS);
}

bool rpcclnt_proof_is_wanted(const struct rpcclnt_call *call,
			     const struct rpc_err *err)
{
	return (call->how & RPCCLNT_PROVED) && !call->proved_anew &&
	       err->re_status == RPC_AUTHERROR &&
	       (err->re_why == AUTH_REJECTEDCRED ||
		err->re_why == AUTH_TOOWEAK);
}

bool rpcclnt_proof_renew(struct rpcclnt_call *call)
{
	struct rpcclnt *clnt = call->clnt;

	call->proving = call->proved_anew = true;
	if (clnt->proving)
		return true;
	clnt->proving = true;
	if (rpcclnt_prove(clnt, PROVE_TIMEOUT_MS, on_proved, clnt))
		return end_proving(clnt, false);
	return true;
}

/* xdr_void() is declared without arguments. */
static bool_t xdr_nothing(XDR *xdrs, ...)
{
	return TRUE;
}

enum clnt_stat rpcclnt_prove(struct rpcclnt *clnt, unsigned int timeout_ms,
			     rpcclnt_done_fn done, void *user)
{
	static const struct timeval unused;

	rpcclnt_next(clnt, timeout_ms, done, user);
	rpcclnt_how(clnt, RPCCLNT_PROMPT);
	return clnt_call(&clnt->handle, NULLPROC, xdr_nothing, NULL,
			 xdr_nothing, NULL, unused);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rpcclnt_stream - calls over one stream, which is all that has to be known of
 * whether they arrive.
 *
 * A call's message may still be waiting to be sent when the call ends; the
 * payloads in it are the caller's, and not looked at after that
 * (stream_withdraw()).
 */
#include "common/rpcclnt_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"

#define FRAGMENTS 65536	/* of a reply; libtirpc's servers send 64 KiB ones */

static void on_message_sent(void *user)
{
	struct rpcclnt_call *call = user;

	call->message = NULL;
}

static void send_call(struct rpcclnt_call *call)
{
	call->message->release = on_message_sent;
	call->message->user = call;
	stream_send(&call->clnt->stream, call->message);
}

static void forget_call(struct rpcclnt_call *call)
{
	if (call->message)
		stream_withdraw(&call->clnt->stream, call->message);
}

static void deinit(struct rpcclnt *clnt)
{
	stream_deinit(&clnt->stream);
}

const struct rpcclnt_transport rpcclnt_by_stream = {
	.send = send_call,
	.forget = forget_call,
	.deinit = deinit,
};

static void on_record(struct record *rec, void *user)
{
	struct rpcclnt *clnt = user;
	bool gone = false;

	if (!rpcclnt_receive(clnt, rec, &gone) || gone)
		return;
	log_debug(LOG_TAG_NET, "a record that is no reply");
	stream_fail(&clnt->stream, -EPROTO);
}

static void on_connected(void *user)
{
	struct rpcclnt *clnt = user;

	if (clnt->config.connected)
		clnt->config.connected(clnt->config.user);
}

static void on_eof(void *user)
{
	struct rpcclnt *clnt = user;

	stream_fail(&clnt->stream, -ECONNRESET);
}

static void on_failed(int error, void *user)
{
	rpcclnt_fail(user, error);
}

static const struct stream_handlers handlers = {
	.connected = on_connected,
	.record = on_record,
	.eof = on_eof,
	.failed = on_failed,
};

int rpcclnt_stream_init(struct rpcclnt *clnt, int fd)
{
	const struct stream_config config = {
		.base = clnt->config.base,
		.record_max = clnt->config.record_max,
		.fragments = FRAGMENTS,
		.records = clnt->config.records,
		.ahead = clnt->ahead,
		.handlers = &handlers,
		.user = clnt,
	};

	return stream_init(&clnt->stream, fd, &config);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rpc-engine in|out BYTES DEPTH - BULKs by the engine over loopback TCP, DEPTH
 * of them outstanding, between two processes; prints how many in a second.
 */
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <event2/event.h>

#include "common/record.h"
#include "common/rpcclnt.h"
#include "common/rpcsrv.h"
#include "rpc/usbip.h"

#define RECORD_MAX (USBIP_DATA_MAX + USBIP_RECORD_EXTRA)
#define SECONDS 2

static char data[USBIP_DATA_MAX];

/* ---- the target's side -------------------------------------------------- */

static void keep(void *user)
{
}

/* In the manner of rpcgen's dispatcher; each BULK is deferred and answered. */
static void dispatch(struct svc_req *rq, SVCXPRT *xprt)
{
	usbip_transfer_res res = { .status = USBIP_OK };
	usbip_bulk_args args;
	struct rpcsrv_call *call;

	memset(&args, 0, sizeof(args));
	if (!svc_getargs(xprt, (xdrproc_t)xdr_usbip_bulk_args, &args)) {
		svcerr_decode(xprt);
		return;
	}
	call = rpcsrv_defer(rq);
	if (args.buffer.type == USBIP_BUFFER_IN) {
		res.status = USBIP_OK_DATA;
		res.usbip_transfer_res_u.done_data.data.usbip_data_val = data;
		res.usbip_transfer_res_u.done_data.data.usbip_data_len =
			args.buffer.usbip_buffer_u.length;
	}
	rpcsrv_reply(call, (xdrproc_t)xdr_usbip_transfer_res, &res, keep, NULL);
}

static void serve(int fd)
{
	struct rpcsrv_config config = {
		.base = event_base_new(), .prog = USBIP_PROGRAM,
		.vers_low = USBIP_V1, .vers_high = USBIP_V1, .dispatch = dispatch,
	};
	struct rpcsrv *srv;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	rpcsrv_limits_default(&config.limits, RECORD_MAX);
	config.limits.record_small = RECORD_MAX;
	if (rpcsrv_new(&srv, &config) || rpcsrv_listen(srv, fd))
		exit(1);
	event_base_dispatch(config.base);
}

/* ---- the controller's side ---------------------------------------------- */

struct load {
	struct event_base *base;
	struct rpcclnt *clnt;
	usbip_bulk_args args;
	usbip_transfer_res res;		/* of all: nothing in it is looked at */
	unsigned long n_done;
};

static void call_again(const struct rpc_err *err, void *user)
{
	struct load *load = user;

	if (err && err->re_status != RPC_SUCCESS)
		return;
	load->n_done += err != NULL;
	rpcclnt_next(load->clnt, 0, call_again, load);
	usbip_bulk_1(&load->args, &load->res, rpcclnt_handle(load->clnt));
}

static void on_closed(int error, void *user)
{
	fprintf(stderr, "connection: %s\n", strerror(-error));
	exit(1);
}

static double measure(struct sockaddr_in *sin, bool in, unsigned int len, int depth)
{
	struct load load = { .base = event_base_new() };
	struct rpcclnt_config config = {
		.base = load.base, .prog = USBIP_PROGRAM, .vers = USBIP_V1,
		.record_max = RECORD_MAX, .closed = on_closed,
	};
	struct timeval tv = { .tv_sec = SECONDS };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	load.args.buffer.type = in ? USBIP_BUFFER_IN : USBIP_BUFFER_OUT;
	load.args.buffer.usbip_buffer_u.data.usbip_data_val = data;
	if (in)
		load.args.buffer.usbip_buffer_u.length = len;
	else
		load.args.buffer.usbip_buffer_u.data.usbip_data_len = len;
	if (connect(fd, (struct sockaddr *)sin, sizeof(*sin)) ||
	    rpcclnt_new(&load.clnt, fd, &config))
		exit(1);
	while (depth--)
		call_again(NULL, &load);
	event_base_loopexit(load.base, &tv);
	event_base_dispatch(load.base);
	return (double)load.n_done / SECONDS;
}

int main(int argc, char **argv)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	pid_t child;

	if (argc != 4)
		return 2;
	record_tune_malloc();
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(fd, (struct sockaddr *)&sin, len) || listen(fd, 8) ||
	    getsockname(fd, (struct sockaddr *)&sin, &len))
		return 1;
	child = fork();
	if (!child) {
		serve(fd);
		return 0;
	}
	printf("%.0f\n", measure(&sin, !strcmp(argv[1], "in"), atoi(argv[2]), atoi(argv[3])));
	kill(child, SIGTERM);
	waitpid(child, NULL, 0);
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rpc-stock in|out BYTES - the same BULKs as rpc-engine by libtirpc alone:
 * clnt_call() against svc_run(), with the generated codec.
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

#include "rpc/usbip.h"

#define SECONDS 2

static char data[USBIP_DATA_MAX];

static void dispatch(struct svc_req *rq, SVCXPRT *xprt)
{
	usbip_transfer_res res = { .status = USBIP_OK };
	usbip_bulk_args args;

	memset(&args, 0, sizeof(args));
	if (!svc_getargs(xprt, (xdrproc_t)xdr_usbip_bulk_args, (char *)&args)) {
		svcerr_decode(xprt);
		return;
	}
	if (args.buffer.type == USBIP_BUFFER_IN) {
		res.status = USBIP_OK_DATA;
		res.usbip_transfer_res_u.done_data.data.usbip_data_val = data;
		res.usbip_transfer_res_u.done_data.data.usbip_data_len =
			args.buffer.usbip_buffer_u.length;
	}
	svc_sendreply(xprt, (xdrproc_t)xdr_usbip_transfer_res, (char *)&res);
	svc_freeargs(xprt, (xdrproc_t)xdr_usbip_bulk_args, (char *)&args);
}

static void serve(int fd)
{
	SVCXPRT *xprt = svc_vc_create(fd, 0, 0);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!xprt || !svc_reg(xprt, USBIP_PROGRAM, USBIP_V1, dispatch, NULL))
		exit(1);
	svc_run();
}

static double measure(struct sockaddr_in *sin, bool_t in, u_int len)
{
	struct netbuf at = { sizeof(*sin), sizeof(*sin), sin };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	CLIENT *clnt = clnt_vc_create(fd, &at, USBIP_PROGRAM, USBIP_V1, 0, 0);
	usbip_bulk_args args = { .submit = { .number = 1 } };
	usbip_transfer_res res;
	struct timespec start, now;
	unsigned long n_done = 0;
	double seconds;

	args.buffer.type = in ? USBIP_BUFFER_IN : USBIP_BUFFER_OUT;
	args.buffer.usbip_buffer_u.data.usbip_data_val = data;
	if (in)
		args.buffer.usbip_buffer_u.length = len;
	else
		args.buffer.usbip_buffer_u.data.usbip_data_len = len;
	clock_gettime(CLOCK_MONOTONIC, &start);
	do {
		memset(&res, 0, sizeof(res));
		if (!clnt || usbip_bulk_1(&args, &res, clnt) != RPC_SUCCESS)
			exit(1);
		xdr_free((xdrproc_t)xdr_usbip_transfer_res, (char *)&res);
		n_done++;
		clock_gettime(CLOCK_MONOTONIC, &now);
		seconds = now.tv_sec - start.tv_sec + (now.tv_nsec - start.tv_nsec) / 1e9;
	} while (seconds < SECONDS);
	return n_done / seconds;
}

int main(int argc, char **argv)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	pid_t child;

	if (argc != 3)
		return 2;
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(fd, (struct sockaddr *)&sin, len) || listen(fd, 8) ||
	    getsockname(fd, (struct sockaddr *)&sin, &len))
		return 1;
	child = fork();
	if (!child) {
		serve(fd);
		return 0;
	}
	printf("%.0f\n", measure(&sin, !strcmp(argv[1], "in"), atoi(argv[2])));
	kill(child, SIGTERM);
	waitpid(child, NULL, 0);
	return 0;
}

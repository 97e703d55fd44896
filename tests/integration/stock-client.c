// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * stock-client HOST [PORT] - libtirpc's own client, with rpcgen's own codec,
 * against the test service, over TCP and UDP: through rpcbind, or at a port.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rpc/usbip.h"
#include "tests/tap.h"

static const struct timeval wait_10s = { .tv_sec = 10 };

static CLIENT *connect_port(const char *host, int port, int type)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct netbuf at = { sizeof(sin), sizeof(sin), &sin };
	int fd = socket(AF_INET, type, 0);
	CLIENT *clnt;

	inet_pton(AF_INET, host, &sin.sin_addr);
	clnt = type == SOCK_STREAM ? clnt_vc_create(fd, &at, USBIP_PROGRAM, USBIP_V1, 0, 0) :
				     clnt_dg_create(fd, &at, USBIP_PROGRAM, USBIP_V1, 0, 0);
	if (clnt)
		clnt_control(clnt, CLSET_FD_CLOSE, NULL);
	return clnt;
}

/* port may be NULL: rpcbind knows it. */
static CLIENT *connect_to(const char *host, const char *port, int type)
{
	CLIENT *clnt = port ? connect_port(host, atoi(port), type) :
			      clnt_create(host, USBIP_PROGRAM, USBIP_V1,
					  type == SOCK_STREAM ? "tcp" : "udp");

	ok(clnt, "connected, by %s", type == SOCK_STREAM ? "TCP" : "UDP");
	if (!clnt)
		clnt_pcreateerror(host);
	return clnt;
}

static bool_t good(const char *data, size_t len, unsigned int seed)
{
	for (size_t i = 0; i < len; i++)
		if (data[i] != (char)(seed * 131 + i + (i >> 8) * 7))
			return FALSE;
	return TRUE;
}

/* xdr_void() is declared without arguments. */
static bool_t xdr_nothing(XDR *xdrs, ...)
{
	return TRUE;
}

/* A procedure without arguments. */
static enum clnt_stat call_bare(CLIENT *clnt, rpcproc_t proc)
{
	return clnt_call(clnt, proc, xdr_nothing, NULL, xdr_nothing, NULL, wait_10s);
}

static enum clnt_stat null(CLIENT *clnt)
{
	return usbip_null_1(NULL, NULL, clnt);
}

/* BULK OUT, and IN, of len bytes. */
static void test_bulk(CLIENT *clnt, u_int len)
{
	usbip_bulk_args args = { .submit = { .number = 5 } };
	usbip_transfer_res res;
	char *data = malloc(len);

	for (size_t i = 0; i < len; i++)
		data[i] = (char)(5 * 131 + i + (i >> 8) * 7);
	args.buffer.type = USBIP_BUFFER_OUT;
	args.buffer.usbip_buffer_u.data.usbip_data_len = len;
	args.buffer.usbip_buffer_u.data.usbip_data_val = data;
	memset(&res, 0, sizeof(res));
	ok(usbip_bulk_1(&args, &res, clnt) == RPC_SUCCESS && res.status == USBIP_OK &&
	   res.usbip_transfer_res_u.done.actual == len, "BULK OUT of %u bytes", len);
	free(data);
	args.buffer.type = USBIP_BUFFER_IN;
	args.buffer.usbip_buffer_u.length = len;
	memset(&res, 0, sizeof(res));
	ok(usbip_bulk_1(&args, &res, clnt) == RPC_SUCCESS && res.status == USBIP_OK_DATA &&
	   res.usbip_transfer_res_u.done_data.data.usbip_data_len == len &&
	   good(res.usbip_transfer_res_u.done_data.data.usbip_data_val, len, 5),
	   "BULK IN of %u bytes", len);
	xdr_free((xdrproc_t)xdr_usbip_transfer_res, &res);
}

static void test_control(CLIENT *clnt)
{
	usbip_control_args args = { .setup = { 7, [6] = (char)0xff, [7] = (char)0xff } };
	usbip_transfer_res res;

	args.buffer.type = USBIP_BUFFER_IN;
	memset(&res, 0, sizeof(res));
	ok(usbip_control_1(&args, &res, clnt) == RPC_SUCCESS && res.status == USBIP_OK_DATA &&
	   res.usbip_transfer_res_u.done_data.data.usbip_data_len == 65535 &&
	   good(res.usbip_transfer_res_u.done_data.data.usbip_data_val, 65535, 7),
	   "CONTROL IN of 65535 bytes, answered from the routine");
	xdr_free((xdrproc_t)xdr_usbip_transfer_res, &res);
}

static void test_errors(CLIENT *clnt)
{
	usbip_list_args list = { .count = 0 };
	usbip_list_res res;
	rpcvers_t vers = 7;
	rpcprog_t prog = 0x20000ca9;
	struct rpc_err err;

	memset(&res, 0, sizeof(res));
	ok(usbip_list_1(&list, &res, clnt) == RPC_PROCUNAVAIL, "PROC_UNAVAIL by a routine");
	ok(call_bare(clnt, 99) == RPC_PROCUNAVAIL, "PROC_UNAVAIL by the dispatcher");
	ok(call_bare(clnt, USBIP_BULK) == RPC_CANTDECODEARGS, "GARBAGE_ARGS");
	clnt_control(clnt, CLSET_VERS, (char *)&vers);
	ok(null(clnt) == RPC_PROGVERSMISMATCH, "PROG_MISMATCH");
	clnt_geterr(clnt, &err);
	ok(err.re_vers.low == USBIP_V1 && err.re_vers.high == USBIP_V1, "its range");
	vers = USBIP_V1;
	clnt_control(clnt, CLSET_VERS, (char *)&vers);
	clnt_control(clnt, CLSET_PROG, (char *)&prog);
	ok(null(clnt) == RPC_PROGUNAVAIL, "PROG_UNAVAIL");
	prog = USBIP_PROGRAM;
	clnt_control(clnt, CLSET_PROG, (char *)&prog);
}

static void test_tcp(const char *host, const char *port)
{
	CLIENT *clnt = connect_to(host, port, SOCK_STREAM);

	if (!clnt)
		return;
	ok(null(clnt) == RPC_SUCCESS, "NULL");
	auth_destroy(clnt->cl_auth);
	clnt->cl_auth = authunix_create_default();
	ok(null(clnt) == RPC_SUCCESS, "NULL with AUTH_SYS");
	test_control(clnt);
	test_bulk(clnt, 1);
	test_bulk(clnt, 70001);		/* several fragments */
	test_bulk(clnt, 4 * 1024 * 1024);
	test_errors(clnt);
	ok(null(clnt) == RPC_SUCCESS, "and the connection is still good");
	auth_destroy(clnt->cl_auth);
	clnt_destroy(clnt);
}

/* CONTROL IN, for a reply that is longer than the call. */
static enum clnt_stat control(CLIENT *clnt)
{
	usbip_control_args args = { .setup = { 7, [6] = 100 } };
	usbip_transfer_res res;

	args.buffer.type = USBIP_BUFFER_IN;
	memset(&res, 0, sizeof(res));
	return usbip_control_1(&args, &res, clnt);
}

static void test_udp(const char *host, const char *port)
{
	CLIENT *clnt = connect_to(host, port, SOCK_DGRAM);
	struct rpc_err err;

	if (!clnt)
		return;
	ok(null(clnt) == RPC_SUCCESS && null(clnt) == RPC_SUCCESS,
	   "NULL, whose verifier is ours");
	ok(call_bare(clnt, 99) == RPC_PROCUNAVAIL, "PROC_UNAVAIL");
	ok(control(clnt) == RPC_AUTHERROR, "a long reply is for who has proved its address");
	clnt_geterr(clnt, &err);
	ok(err.re_why == AUTH_TOOWEAK, "as it is told");
	auth_destroy(clnt->cl_auth);
	clnt->cl_auth = authunix_create_default();
	ok(null(clnt) == RPC_SUCCESS && null(clnt) == RPC_SUCCESS, "NULL with AUTH_SYS");
	auth_destroy(clnt->cl_auth);
	clnt_destroy(clnt);
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return 2;
	test_tcp(argv[1], argv[2]);
	test_udp(argv[1], argv[2]);
	return tap_done();
}

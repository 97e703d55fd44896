// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * caller - a controller for tests. Sessions, connections and calls are apart
 * here as they are in the protocol, so that a test can lose any of them.
 */
#include "config.h"

#include "tests/integration/caller.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define RECORD_MAX (USBIP_DATA_MAX + USBIP_RECORD_EXTRA)
#define WAIT_MS 10000
#define SAYS_MS 5000

static void die(const char *what)
{
	printf("Bail out! %s: %s\n", what, strerror(errno));
	exit(1);
}

/* ---- the daemon --------------------------------------------------------- */

void caller_daemon_write(struct caller_daemon *d, const char *file,
			 const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", d->dir, file);
	f = fopen(path, "we");
	if (!f || fputs(text, f) < 0 || fclose(f))
		die(path);
}

static void exec_daemon(struct caller_daemon *d, bool script,
			const char *const *args)
{
	const char *top = getenv("top_builddir"), *argv[32];
	char program[256], exports[128], backend[160], control[128];
	size_t n = 0;

	snprintf(program, sizeof(program), "%s/server/usbip-rpcd",
		 top ? top : ".");
	snprintf(exports, sizeof(exports), "%s/exports", d->dir);
	snprintf(backend, sizeof(backend), "fake:%s/script", d->dir);
	snprintf(control, sizeof(control), "%s/control", d->dir);
	argv[n++] = program;
	argv[n++] = "-f";
	argv[n++] = "--no-rpcbind";
	argv[n++] = "-e";
	argv[n++] = exports;
	argv[n++] = "--control";
	argv[n++] = control;
	argv[n++] = "--backend";
	argv[n++] = script ? backend : "fake";
	while (args && *args)
		argv[n++] = *args++;
	argv[n] = NULL;
	prctl(PR_SET_PDEATHSIG, SIGKILL);	/* a test that bails out */
	execv(program, (char *const *)argv);
	die(program);
}

void caller_daemon_start(struct caller_daemon *d, const char *exports,
			 const char *script, const char *const *args)
{
	const char *line;
	int fds[2];

	memset(d, 0, sizeof(*d));
	strcpy(d->dir, "/tmp/usbip-rpc-test-XXXXXX");
	if (!mkdtemp(d->dir) || pipe2(fds, O_CLOEXEC))
		die("the daemon's directory");
	caller_daemon_write(d, "exports", exports);
	caller_daemon_write(d, "script", script ? script : "");
	d->pid = fork();
	if (d->pid < 0)
		die("fork");
	if (!d->pid) {
		dup2(fds[1], 2);
		exec_daemon(d, script, args);
	}
	close(fds[1]);
	d->log = fds[0];
	if (!caller_daemon_says(d, "listening on port "))
		die("the daemon does not start");
	line = strstr(d->text, "listening on port ");
	d->port = strtoul(line + strlen("listening on port "), NULL, 10);
}

void caller_daemon_forget(struct caller_daemon *d)
{
	static const char *const files[] = { "exports", "script", "control",
					     "lock" };
	char path[128];

	close(d->log);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", d->dir, files[i]);
		unlink(path);
	}
	rmdir(d->dir);
}

int caller_daemon_stop(struct caller_daemon *d)
{
	int status;

	kill(d->pid, SIGTERM);
	if (waitpid(d->pid, &status, 0) != d->pid)
		die("waitpid");
	caller_daemon_says(d, "");	/* the rest of the log */
	if (WIFSIGNALED(status) || WEXITSTATUS(status))
		printf("# the daemon's log:\n%s\n", d->text);
	caller_daemon_forget(d);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

bool caller_daemon_says(struct caller_daemon *d, const char *text)
{
	struct pollfd p = { d->log, POLLIN, 0 };
	char *found;
	ssize_t n;

	for (int left = SAYS_MS / 50; left; left--) {
		while (poll(&p, 1, *text ? 50 : 0) > 0) {
			n = read(d->log, d->text + d->n_text,
				 sizeof(d->text) - d->n_text - 1);
			if (n <= 0)
				break;
			d->n_text += n;
			found = strstr(d->text, text);
			if (*text && found && strchr(found, '\n'))
				break;
		}
		found = strstr(d->text, text);
		if (found && (!*text || strchr(found, '\n')))
			return true;
		if (p.revents & POLLHUP)
			break;
	}
	return false;
}

/* ---- a connection ------------------------------------------------------- */

/* Nothing: it ends a round of the loop. */
static void on_tick(evutil_socket_t fd, short what, void *user)
{
}

static void on_closed(int error, void *user)
{
	struct caller *c = user;

	c->closed = true;
}

static bool is_in_progress(const uint8_t *results, size_t len)
{
	static const uint8_t word[4] = { 0, 0, 0, USBIP_IN_PROGRESS };

	return len >= 4 && !memcmp(results, word, 4);
}

static void open_socket(struct caller *c, const char *host, unsigned int port,
			int type)
{
	struct rpcclnt_config config = {
		.prog = USBIP_PROGRAM, .vers = USBIP_V1,
		.record_max = RECORD_MAX, .closed = on_closed,
		.interim = is_in_progress, .user = c,
	};
	const struct addrinfo hints = {
		.ai_family = AF_INET, .ai_socktype = type,
	};
	const struct timeval tick = { 0, 5000 };
	struct addrinfo *ai;
	char service[16];
	int fd;

	memset(c, 0, sizeof(*c));
	snprintf(service, sizeof(service), "%u", port);
	if (getaddrinfo(host, service, &hints, &ai))
		die(host);
	fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, ai->ai_addr, ai->ai_addrlen))
		die("connect");
	freeaddrinfo(ai);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	c->base = config.base = event_base_new();
	c->tick = event_new(c->base, -1, EV_PERSIST, on_tick, NULL);
	event_add(c->tick, &tick);
	if (rpcclnt_new(&c->clnt, fd, &config))
		die("rpcclnt_new");
}

void caller_open(struct caller *c, const char *host, unsigned int port)
{
	open_socket(c, host, port, SOCK_STREAM);
}

void caller_close(struct caller *c)
{
	rpcclnt_free(c->clnt);
	event_free(c->tick);
	event_base_free(c->base);
	c->clnt = NULL;
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ull + ts.tv_nsec / 1000000;
}

bool caller_run(struct caller *c, unsigned int ms, const bool *done)
{
	uint64_t end = now_ms() + ms;

	while (!(done && *done) && now_ms() < end)
		event_base_loop(c->base, EVLOOP_ONCE);
	return done && *done;
}

/* ---- calls -------------------------------------------------------------- */

static void on_done(const struct rpc_err *err, void *user)
{
	struct caller_call *call = user;

	call->err = *err;
	call->done = true;
	if (err->re_status == RPC_SUCCESS)
		call->record = rpcclnt_keep(call->c->clnt);
}

void caller_begin(struct caller *c, struct caller_call *call)
{
	memset(&call->res, 0, sizeof(call->res));
	call->done = false;
	call->record = NULL;
	call->c = c;
	rpcclnt_next(c->clnt, 0, on_done, call);
}

void caller_open_dgram(struct caller *c, const char *host, unsigned int port)
{
	struct caller_call call;

	open_socket(c, host, port, SOCK_DGRAM);
	memset(&call, 0, sizeof(call));
	call.c = c;
	if (rpcclnt_prove(c->clnt, 0, on_done, &call) || caller_wait(&call))
		die("NULL");
	caller_end(&call, NULL);
}

enum clnt_stat caller_wait(struct caller_call *call)
{
	caller_run(call->c, WAIT_MS, &call->done);
	return call->done ? call->err.re_status : RPC_TIMEDOUT;
}

void caller_end(struct caller_call *call, xdrproc_t xdr)
{
	if (xdr)
		xdr_free(xdr, (char *)&call->res);
	if (call->record)
		rpcclnt_unkeep(call->record);
	call->record = NULL;
}

usbip_stat caller_claim(struct caller *c, const char *device, uint8_t instance,
			struct caller_call *claim)
{
	usbip_claim_args args = { .device = (char *)device, .host = (char *)"test" };
	struct caller_call own, *call = claim ? claim : &own;
	usbip_stat stat;

	memset(args.instance, instance, sizeof(args.instance));
	caller_begin(c, call);
	rpcclnt_how(c->clnt, RPCCLNT_PROVED);
	usbip_claim_1(&args, &call->res.claim, rpcclnt_handle(c->clnt));
	if (caller_wait(call))
		die("CLAIM");
	stat = call->res.claim.status;
	if (stat == USBIP_OK)
		c->session = call->res.claim.usbip_claim_res_u.claim.session;
	if (!claim)
		caller_end(&own, (xdrproc_t)xdr_usbip_claim_res);
	return stat;
}

usbip_stat caller_release(struct caller *c)
{
	usbip_session_args args = { c->session };
	struct caller_call call;

	caller_begin(c, &call);
	usbip_release_1(&args, &call.res.stat, rpcclnt_handle(c->clnt));
	if (caller_wait(&call))
		die("RELEASE");
	caller_end(&call, NULL);
	return call.res.stat.status;
}

usbip_stat caller_renew(struct caller *c, uint8_t endpoint, uint32_t acked)
{
	usbip_ack ack = { endpoint, acked };
	usbip_renew_args args = { .session = c->session };
	struct caller_call call;

	args.acks.acks_len = 1;
	args.acks.acks_val = &ack;
	caller_begin(c, &call);
	usbip_renew_1(&args, &call.res.renew, rpcclnt_handle(c->clnt));
	if (caller_wait(&call))
		die("RENEW");
	caller_end(&call, NULL);
	return call.res.renew.status;
}

usbip_stat caller_unlink(struct caller *c, uint8_t endpoint, uint32_t number)
{
	usbip_urb args = { c->session, endpoint, number };
	struct caller_call call;

	caller_begin(c, &call);
	usbip_unlink_1(&args, &call.res.stat, rpcclnt_handle(c->clnt));
	if (caller_wait(&call))
		die("UNLINK");
	caller_end(&call, NULL);
	return call.res.stat.status;
}

static usbip_submit next_submit(struct caller *c, uint8_t endpoint,
				uint32_t number)
{
	usbip_submit s = {
		.session = c->session,
		.pipe = endpoint,
		.number = number ? number : ++c->numbers[endpoint],
		.acked = c->acked[endpoint],
	};

	return s;
}

static void submit_bulk(struct caller *c, struct caller_call *call,
			uint8_t endpoint, uint32_t number)
{
	call->bulk.submit = next_submit(c, endpoint, number);
	caller_begin(c, call);
	usbip_bulk_1(&call->bulk, &call->res.transfer, rpcclnt_handle(c->clnt));
}

void caller_submit_in(struct caller *c, struct caller_call *call,
		      uint8_t endpoint, uint32_t length, uint32_t number)
{
	call->bulk.buffer.type = USBIP_BUFFER_IN;
	call->bulk.buffer.usbip_buffer_u.length = length;
	submit_bulk(c, call, endpoint, number);
}

void caller_submit_out(struct caller *c, struct caller_call *call,
		       uint8_t endpoint, const void *data, uint32_t length,
		       uint32_t number)
{
	usbip_data *to = &call->bulk.buffer.usbip_buffer_u.data;

	call->bulk.buffer.type = USBIP_BUFFER_OUT;
	to->usbip_data_len = length;
	to->usbip_data_val = (char *)(uintptr_t)data;
	submit_bulk(c, call, endpoint, number);
}

void caller_submit_interrupt(struct caller *c, struct caller_call *call,
			     uint8_t endpoint, uint32_t length, uint32_t number)
{
	call->interrupt.submit = next_submit(c, endpoint, number);
	call->interrupt.interval = 4;
	call->interrupt.buffer.type = USBIP_BUFFER_IN;
	call->interrupt.buffer.usbip_buffer_u.length = length;
	caller_begin(c, call);
	usbip_interrupt_1(&call->interrupt, &call->res.transfer,
			  rpcclnt_handle(c->clnt));
}

void caller_submit_control(struct caller *c, struct caller_call *call,
			   const uint8_t *setup, void *data, uint32_t number)
{
	usbip_buffer *buffer = &call->control.buffer;
	uint32_t length = setup[6] | setup[7] << 8;

	call->control.submit = next_submit(c, 0, number);
	memcpy(call->control.setup, setup, 8);
	if (setup[0] & 0x80) {
		buffer->type = USBIP_BUFFER_IN;
		buffer->usbip_buffer_u.length = length;
	} else {
		buffer->type = USBIP_BUFFER_OUT;
		buffer->usbip_buffer_u.data.usbip_data_len = length;
		buffer->usbip_buffer_u.data.usbip_data_val = data;
	}
	caller_begin(c, call);
	usbip_control_1(&call->control, &call->res.transfer,
			rpcclnt_handle(c->clnt));
}

void caller_submit_pieces(struct caller *c, struct caller_call *call,
			  uint8_t endpoint, uint32_t length, uint32_t number)
{
	call->bulk.buffer.type = endpoint & 0x80 ? USBIP_BUFFER_FETCHED :
						   USBIP_BUFFER_STAGED;
	call->bulk.buffer.usbip_buffer_u.length = length;
	submit_bulk(c, call, endpoint, number);
}

usbip_stat caller_stage(struct caller *c, uint32_t endpoint, uint32_t number,
			uint32_t offset, const void *piece, uint32_t length)
{
	usbip_stage_args args = {
		{ c->session, endpoint, number }, offset, { 0, NULL }
	};
	struct caller_call call;

	args.piece.piece_len = length;
	args.piece.piece_val = (char *)(uintptr_t)piece;
	caller_begin(c, &call);
	usbip_stage_1(&args, &call.res.stat, rpcclnt_handle(c->clnt));
	if (caller_wait(&call))
		die("STAGE");
	caller_end(&call, NULL);
	return call.res.stat.status;
}

usbip_stat caller_fetch(struct caller *c, uint32_t endpoint, uint32_t number,
			uint32_t offset, void *data, uint32_t *length)
{
	usbip_fetch_args args = {
		{ c->session, endpoint, number }, offset, *length
	};
	struct caller_call call;
	usbip_fetch_res *res = &call.res.fetch;
	usbip_stat stat;

	caller_begin(c, &call);
	usbip_fetch_1(&args, res, rpcclnt_handle(c->clnt));
	if (caller_wait(&call))
		die("FETCH");
	stat = res->status;
	*length = 0;
	if (stat == USBIP_OK) {
		*length = res->usbip_fetch_res_u.piece.piece_len;
		if (data && *length)
			memcpy(data, res->usbip_fetch_res_u.piece.piece_val,
			       *length);
	}
	caller_end(&call, (xdrproc_t)xdr_usbip_fetch_res);
	return stat;
}

int caller_result(struct caller_call *call, void *data, size_t length,
		  int *xfer)
{
	usbip_transfer_res *res = &call->res.transfer;
	int n;

	*xfer = -1;
	if (caller_wait(call))
		return -2;
	*xfer = res->status;
	n = -2;
	if (res->status == USBIP_OK) {
		*xfer = res->usbip_transfer_res_u.done.xfer;
		n = res->usbip_transfer_res_u.done.actual;
	} else if (res->status == USBIP_OK_DATA) {
		usbip_done_data *done = &res->usbip_transfer_res_u.done_data;

		*xfer = done->xfer;
		n = done->data.usbip_data_len;
		if (data)
			memcpy(data, done->data.usbip_data_val,
			       (size_t)n < length ? (size_t)n : length);
	}
	caller_end(call, NULL);
	return n >= 0 && *xfer != USBIP_XFER_OK ? -1 : n;
}

int caller_control(struct caller *c, const uint8_t *setup, void *data,
		   int *xfer)
{
	struct caller_call call;
	int n;

	caller_submit_control(c, &call, setup, data, 0);
	n = caller_result(&call, data, setup[6] | setup[7] << 8, xfer);
	if (n > -2)
		c->acked[0] = c->numbers[0];
	return n;
}

int caller_bulk(struct caller *c, uint8_t endpoint, void *data,
		uint32_t length, int *xfer)
{
	struct caller_call call;
	int n;

	if (endpoint & 0x80)
		caller_submit_in(c, &call, endpoint, length, 0);
	else
		caller_submit_out(c, &call, endpoint, data, length, 0);
	n = caller_result(&call, endpoint & 0x80 ? data : NULL, length, xfer);
	if (n > -2)
		c->acked[endpoint] = c->numbers[endpoint];
	return n;
}

static void call_state(struct caller *c, struct caller_call *call,
		       rpcproc_t proc, unsigned int value, unsigned int index)
{
	usbip_submit submit = next_submit(c, 0, 0);
	usbip_set_configuration_args configuration = { submit, value };
	usbip_set_interface_args interface = { submit, index, value };
	usbip_clear_halt_args halt = { submit, value };
	usbip_reset_args reset = { submit };
	usbip_suspend_args power = { submit, value };
	CLIENT *handle = rpcclnt_handle(c->clnt);

	caller_begin(c, call);
	if (proc == USBIP_SET_CONFIGURATION)
		usbip_set_configuration_1(&configuration, &call->res.state, handle);
	else if (proc == USBIP_SET_INTERFACE)
		usbip_set_interface_1(&interface, &call->res.state, handle);
	else if (proc == USBIP_CLEAR_HALT)
		usbip_clear_halt_1(&halt, &call->res.state, handle);
	else if (proc == USBIP_SUSPEND)
		usbip_suspend_1(&power, &call->res.state, handle);
	else if (proc == USBIP_RESUME)
		usbip_resume_1(&power, &call->res.state, handle);
	else
		usbip_reset_1(&reset, &call->res.state, handle);
}

int caller_state(struct caller *c, rpcproc_t proc, unsigned int value,
		 unsigned int index, int *xfer)
{
	struct caller_call call;

	call_state(c, &call, proc, value, index);
	*xfer = -1;
	if (caller_wait(&call))
		return -2;
	caller_end(&call, NULL);
	*xfer = call.res.state.status;
	c->acked[0] = c->numbers[0];
	if (call.res.state.status)
		return -2;
	*xfer = call.res.state.usbip_state_res_u.done.xfer;
	return *xfer ? -1 : 0;
}

int caller_tell(struct caller *c, uint8_t request, unsigned int value,
		unsigned int index)
{
	const uint8_t setup[8] = {
		0x40, request, value & 0xff, value >> 8, index & 0xff,
		index >> 8, 0, 0,
	};
	int xfer;

	return caller_control(c, setup, NULL, &xfer);
}

size_t caller_executed(struct caller *c, uint8_t endpoint, uint32_t *numbers,
		       size_t n)
{
	uint8_t setup[8] = { 0xc0, 0xe0, 0, 0, endpoint, 0, 0, 0 };
	uint8_t *data = malloc(n * 4);
	int r, xfer;

	setup[6] = n * 4 & 0xff;
	setup[7] = n * 4 >> 8;
	r = caller_control(c, setup, data, &xfer);
	for (int i = 0; i < r / 4; i++)
		numbers[i] = data[4 * i] | data[4 * i + 1] << 8 |
			     data[4 * i + 2] << 16 |
			     (uint32_t)data[4 * i + 3] << 24;
	free(data);
	return r < 0 ? 0 : r / 4;
}

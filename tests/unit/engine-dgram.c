// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The engine's two sides against each other by datagrams, over a way that
 * loses, doubles and delays: each call has one end, with its own data, however
 * often it was made on the way.
 */
#include <netinet/in.h>
#include <time.h>
#include <unistd.h>
#include <event2/event_struct.h>

#include "common/rpcclnt.h"
#include "tests/tap.h"
#include "tests/unit/service.h"
#include "tests/unit/wire.h"

enum { N_CALLS = 400, LONGEST = 3000 };

/* A way in both directions, which the caller takes for the peer. */
struct way {
	struct event_base *base;
	int fds[2];			/* to the caller, to the service */
	struct event readable[2];
	uint32_t state;			/* of the dice */
	unsigned int lost, doubled, late;	/* of 100 */
	unsigned int n, n_lost;
};

struct bench {
	struct event_base *base;
	struct service service;
	struct rpcclnt *clnt;
	struct way way;
};

struct call {
	int n_done;
	bool good;
	u_int len;
	usbip_bulk_args args;
	usbip_transfer_res res;
};

static int n_done;

static struct sockaddr_in loopback(void)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
}

static int bound_socket(struct sockaddr_in *at)
{
	socklen_t len = sizeof(*at);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	*at = loopback();
	if (fd < 0 || bind(fd, (struct sockaddr *)at, len) ||
	    getsockname(fd, (struct sockaddr *)at, &len))
		abort();
	return fd;
}

static void connect_to(int fd, const struct sockaddr_in *at)
{
	if (connect(fd, (const struct sockaddr *)at, sizeof(*at)))
		abort();
}

/* ---- the way ------------------------------------------------------------ */

static bool dice(struct way *way, unsigned int percent)
{
	way->state = way->state * 1664525 + 1013904223;
	return (way->state >> 16) % 100 < percent;
}

struct delayed {
	struct event timer;
	int fd;
	size_t len;
	char data[];
};

static void send_delayed(evutil_socket_t fd, short what, void *user)
{
	struct delayed *delayed = user;

	send(delayed->fd, delayed->data, delayed->len, 0);
	free(delayed);
}

static void delay(struct way *way, int fd, const char *data, size_t len)
{
	const struct timeval tv = { .tv_usec = 20000 };
	struct delayed *delayed = malloc(sizeof(*delayed) + len);

	delayed->fd = fd;
	delayed->len = len;
	memcpy(delayed->data, data, len);
	evtimer_assign(&delayed->timer, way->base, send_delayed, delayed);
	evtimer_add(&delayed->timer, &tv);
}

static void pass_on(evutil_socket_t fd, short what, void *user)
{
	static char data[65536];
	struct way *way = user;
	int to = fd == way->fds[0] ? way->fds[1] : way->fds[0];
	ssize_t len;

	while ((len = recv(fd, data, sizeof(data), MSG_DONTWAIT)) >= 0) {
		way->n++;
		if (dice(way, way->lost)) {
			way->n_lost++;
			continue;
		}
		if (dice(way, way->late))
			delay(way, to, data, len);
		else
			send(to, data, len, 0);
		if (dice(way, way->doubled))
			delay(way, to, data, len);
	}
}

static void way_init(struct way *way, struct event_base *base, int caller,
		     const struct sockaddr_in *service)
{
	struct sockaddr_in at;
	socklen_t len = sizeof(at);

	way->base = base;
	way->fds[0] = bound_socket(&at);
	connect_to(caller, &at);
	if (getsockname(caller, (struct sockaddr *)&at, &len))
		abort();
	connect_to(way->fds[0], &at);
	way->fds[1] = socket(AF_INET, SOCK_DGRAM, 0);
	connect_to(way->fds[1], service);
	for (int i = 0; i < 2; i++) {
		event_assign(&way->readable[i], base, way->fds[i], EV_READ | EV_PERSIST, pass_on,
			     way);
		event_add(&way->readable[i], NULL);
	}
}

/* ---- calls -------------------------------------------------------------- */

static void on_closed(int error, void *user)
{
	abort();
}

static void bench_init(struct bench *b)
{
	struct rpcsrv_config config;
	struct rpcclnt_config clnt = {
		.prog = USBIP_PROGRAM, .vers = USBIP_V1, .record_max = 1 << 20,
		.closed = on_closed, .user = b,
	};
	struct sockaddr_in at, caller_at;
	int fd = bound_socket(&at), caller = bound_socket(&caller_at);

	b->base = clnt.base = event_base_new();
	config = service_config(&b->service, b->base);
	if (service_init(&b->service, &config) || rpcsrv_listen_dgram(b->service.srv, fd))
		abort();
	b->service.auto_answer = true;
	way_init(&b->way, b->base, caller, &at);
	if (rpcclnt_new(&b->clnt, caller, &clnt))
		abort();
}

static void bench_deinit(struct bench *b)
{
	b->clnt = rpcclnt_free(b->clnt);
	run(b->base, 100);		/* what is delayed */
	for (int i = 0; i < 2; i++) {
		event_del(&b->way.readable[i]);
		close(b->way.fds[i]);
	}
	service_deinit(&b->service);
	event_base_free(b->base);
}

static void on_done(const struct rpc_err *err, void *user)
{
	struct call *call = user;
	usbip_done_data *done = &call->res.usbip_transfer_res_u.done_data;

	call->n_done++;
	n_done++;
	if (err->re_status != RPC_SUCCESS)
		return;
	if (call->args.buffer.type == USBIP_BUFFER_OUT)
		call->good = call->res.status == USBIP_OK &&
			     call->res.usbip_transfer_res_u.done.actual == call->len;
	else
		call->good = call->res.status == USBIP_OK_DATA &&
			     done->data.usbip_data_len == call->len &&
			     service_check(done->data.usbip_data_val, call->len,
					   call->args.submit.number);
}

static void make(struct bench *b, struct call *call, uint32_t number, unsigned int how)
{
	static char data[N_CALLS][LONGEST];
	usbip_buffer *buffer = &call->args.buffer;

	memset(call, 0, sizeof(*call));
	call->args.submit.number = number;
	call->len = number * 7 % LONGEST + 1;
	if (number % 2) {
		buffer->type = USBIP_BUFFER_IN;
		buffer->usbip_buffer_u.length = call->len;
	} else {
		service_fill(data[number], call->len, number);
		buffer->usbip_buffer_u.data = (usbip_data){ call->len, data[number] };
	}
	rpcclnt_next(b->clnt, 0, on_done, call);
	rpcclnt_how(b->clnt, how);
	rpcclnt_expect(b->clnt, number % 2 ? call->len + 12 : 12);
	if (usbip_bulk_1(&call->args, &call->res, rpcclnt_handle(b->clnt)) != RPC_SUCCESS)
		abort();
}

static bool await_done(struct bench *b, int n)
{
	time_t end = time(NULL) + 60;

	while (n_done < n && time(NULL) < end)
		run(b->base, 10);
	return n_done == n;
}

/* So that replies may be longer than calls. */
static void renew(struct bench *b)
{
	static struct call call;
	static usbip_renew_res res;
	usbip_renew_args args = { .session = 1 };

	n_done = 0;
	call.args.buffer.type = USBIP_BUFFER_OUT;
	rpcclnt_next(b->clnt, 0, on_done, &call);
	rpcclnt_how(b->clnt, RPCCLNT_PROMPT);
	usbip_renew_1(&args, &res, rpcclnt_handle(b->clnt));
	if (!await_done(b, 1))
		abort();
}

static void test_way(const char *name, unsigned int how, const struct way *way)
{
	static struct call calls[N_CALLS];
	struct bench b = { .way = *way };
	int n_good = 0;

	bench_init(&b);
	renew(&b);
	n_done = 0;
	for (int i = 0; i < N_CALLS; i++)
		make(&b, &calls[i], i, how);
	ok(await_done(&b, N_CALLS), "%s: all calls end (%u datagrams, %u lost)", name, b.way.n,
	   b.way.n_lost);
	run(b.base, 50);
	for (int i = 0; i < N_CALLS; i++)
		n_good += calls[i].n_done == 1 && calls[i].good;
	ok(n_good == N_CALLS && !b.service.n_bad, "once, with their data");
	ok(!rpcclnt_outstanding(b.clnt) && !rpcclnt_queued(b.clnt), "and nothing is left");
	bench_deinit(&b);
	ok(!b.service.n_lent, "what was lent came back");
}

int main(void)
{
	test_way("clear", RPCCLNT_PROMPT, &(struct way){ .state = 1 });
	test_way("lossy", RPCCLNT_PROMPT, &(struct way){ .state = 1, .lost = 5 });
	test_way("twice", RPCCLNT_PROMPT, &(struct way){ .state = 1, .doubled = 20, .late = 10 });
	test_way("bad", RPCCLNT_PROMPT, &(struct way){
			.state = 1, .lost = 15, .doubled = 10, .late = 10 });
	test_way("lossy, not prompt", 0, &(struct way){ .state = 1, .lost = 10, .late = 5 });
	return tap_done();
}

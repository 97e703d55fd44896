// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * load - one session and what it does: claims, numbers, connections, habits.
 */
#include "config.h"

#include "tests/soak/load.h"

#include <arpa/inet.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define RECORD_MAX (USBIP_DATA_MAX + USBIP_RECORD_EXTRA)
/* A turn of a habit, ms: from so much to twice that. */
#define TURN_MS 400

uint64_t load_now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000ull + ts.tv_nsec / 1000;
}

void load_fail(struct load *l, const char *format, ...)
{
	va_list args;

	if (*l->failure)
		return;
	va_start(args, format);
	vsnprintf(l->failure, sizeof(l->failure), format, args);
	va_end(args);
	printf("# %s (%s): %s\n", l->device, load_kind_name(l->kind), l->failure);
}

static void begin_turn(struct load *l)
{
	l->until = load_now_us() / 1000 + TURN_MS + random() % TURN_MS;
}

/* ---- connections -------------------------------------------------------- */

static void on_closed(int error, void *user)
{
	struct load *l = user;

	if (l->state != LOAD_STATE_OVER)
		load_fail(l, "the connection ended: %s", strerror(-error));
}

static void drop_connection(struct load *l)
{
	l->clnt = rpcclnt_free(l->clnt);
}

static void make_connection(struct load *l)
{
	const struct rpcclnt_config config = {
		.base = l->base, .prog = USBIP_PROGRAM, .vers = USBIP_V1,
		.record_max = RECORD_MAX, .closed = on_closed, .user = l,
	};
	struct sockaddr_in sin = {
		.sin_family = AF_INET, .sin_port = htons(l->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	drop_connection(l);
	if (fd < 0 || connect(fd, (struct sockaddr *)&sin, sizeof(sin)) ||
	    fcntl(fd, F_SETFL, O_NONBLOCK) ||
	    rpcclnt_new(&l->clnt, fd, &config))
		load_fail(l, "no connection: %m");
}

/* ---- numbers ------------------------------------------------------------ */

struct load_slot *load_slot(struct load_row *row)
{
	struct load_slot *slot = &row->slots[row->next % row->depth];

	if (row->next - row->low >= row->depth)
		return NULL;
	slot->row = row;
	slot->number = row->next++;
	return slot;
}

static void reset_rows(struct load *l)
{
	for (int i = 0; i < LOAD_ROWS; i++) {
		l->rows[i].load = l;
		l->rows[i].next = l->rows[i].low = 1;
		l->rows[i].position = 0;
	}
}

static bool is_idle(const struct load *l)
{
	for (int i = 0; i < LOAD_ROWS; i++)
		if (l->rows[i].low != l->rows[i].next)
			return false;
	return true;
}

static void on_done(const struct rpc_err *err, void *user)
{
	struct load_slot *slot = user;
	struct load_row *row = slot->row;
	struct load *l = row->load;

	if (err->re_status == RPC_CANTRECV)
		return;			/* it is sent again, or was released */
	if (err->re_status) {
		load_fail(l, "RPC: %s", clnt_sperrno(err->re_status));
		return;
	}
	if (slot->res.transfer.status == USBIP_DELAY &&
	    l->state != LOAD_STATE_RELEASING) {
		l->n_delays++;
		load_send(slot);
		return;
	}
	if (slot->number != row->low)
		load_fail(l, "endpoint %02x: %u answered before %u",
			  row->endpoint, slot->number, row->low);
	slot->busy = false;
	load_check(slot);
	while (row->low != row->next && !row->slots[row->low % row->depth].busy)
		row->low++;
	if (l->state == LOAD_STATE_PREPARING && !load_prepare(l)) {
		l->state = LOAD_STATE_RUNNING;
		begin_turn(l);
	}
	if (l->state == LOAD_STATE_RUNNING)
		load_submit(l);
}

void load_send(struct load_slot *slot)
{
	struct load *l = slot->row->load;
	usbip_submit *submit = &slot->args.bulk.submit;	/* the first of all */
	CLIENT *h = rpcclnt_handle(l->clnt);

	slot->busy = true;
	submit->session = l->session;
	submit->number = slot->number;
	submit->acked = slot->row->low - 1;
	memset(&slot->res, 0, sizeof(slot->res));
	rpcclnt_next(l->clnt, 0, on_done, slot);
	switch (slot->proc) {
	case USBIP_CONTROL:
		usbip_control_1(&slot->args.control, &slot->res.transfer, h);
		break;
	case USBIP_BULK:
		usbip_bulk_1(&slot->args.bulk, &slot->res.transfer, h);
		break;
	case USBIP_INTERRUPT:
		usbip_interrupt_1(&slot->args.interrupt, &slot->res.transfer, h);
		break;
	case USBIP_ISOC:
		usbip_isoc_1(&slot->args.isoc, &slot->res.isoc, h);
		break;
	case USBIP_SET_CONFIGURATION:
		usbip_set_configuration_1(&slot->args.configuration,
					  &slot->res.state, h);
		break;
	default:
		usbip_set_interface_1(&slot->args.interface, &slot->res.state, h);
	}
}

/* ---- claims ------------------------------------------------------------- */

static void on_claimed(const struct rpc_err *err, void *user)
{
	struct load *l = user;
	usbip_stat stat = l->res.claim.status;

	l->calling = false;
	if (err->re_status == RPC_CANTRECV)
		return;
	if (err->re_status || stat) {
		load_fail(l, "CLAIM: %s, status %d",
			  clnt_sperrno(err->re_status), stat);
		return;
	}
	l->session = l->res.claim.usbip_claim_res_u.claim.session;
	xdr_free((xdrproc_t)xdr_usbip_claim_res, (char *)&l->res.claim);
	l->n_sessions++;
	reset_rows(l);
	l->step = 0;
	l->state = LOAD_STATE_PREPARING;
	if (load_prepare(l))
		return;
	l->state = LOAD_STATE_RUNNING;
	begin_turn(l);
	load_submit(l);
}

static void claim(struct load *l)
{
	usbip_claim_args args = { .device = l->device, .host = (char *)"soak" };

	l->state = LOAD_STATE_CLAIMING;
	make_connection(l);
	l->instance++;
	memcpy(args.instance, &l->index, sizeof(l->index));
	memcpy(args.instance + 4, &l->instance, sizeof(l->instance));
	memset(&l->res, 0, sizeof(l->res));
	l->calling = true;
	rpcclnt_next(l->clnt, 0, on_claimed, l);
	usbip_claim_1(&args, &l->res.claim, rpcclnt_handle(l->clnt));
}

static void on_released(const struct rpc_err *err, void *user)
{
	struct load *l = user;

	l->calling = false;
	if (err->re_status == RPC_CANTRECV)
		return;
	if (err->re_status || l->res.stat.status)
		load_fail(l, "RELEASE: %s, status %d",
			  clnt_sperrno(err->re_status), l->res.stat.status);
	if (!is_idle(l))
		load_fail(l, "released, and not all URBs were answered");
	l->state = LOAD_STATE_OVER;
}

static void release(struct load *l)
{
	usbip_session_args args = { l->session };

	l->state = LOAD_STATE_RELEASING;
	memset(&l->res, 0, sizeof(l->res));
	l->calling = true;
	rpcclnt_next(l->clnt, 0, on_released, l);
	usbip_release_1(&args, &l->res.stat, rpcclnt_handle(l->clnt));
}

/* ---- lost connections --------------------------------------------------- */

static void send_again(struct load_row *row)
{
	for (uint32_t n = row->low; n != row->next; n++) {
		struct load_slot *slot = &row->slots[n % row->depth];

		if (slot->busy)
			load_send(slot);
	}
}

static void on_renewed(const struct rpc_err *err, void *user)
{
	struct load *l = user;

	l->calling = false;
	if (err->re_status == RPC_CANTRECV)
		return;
	if (err->re_status || l->res.renew.status)
		load_fail(l, "RENEW: %s, status %d",
			  clnt_sperrno(err->re_status), l->res.renew.status);
	l->state = LOAD_STATE_RUNNING;
	begin_turn(l);
	for (int i = 0; i < LOAD_ROWS; i++)
		if (l->rows[i].depth)
			send_again(&l->rows[i]);
}

static void lose_connection(struct load *l)
{
	usbip_ack acks[LOAD_ROWS];
	usbip_renew_args args = { .session = l->session };

	for (int i = 0; i < LOAD_ROWS; i++)
		if (l->rows[i].depth) {
			usbip_ack *ack = &acks[args.acks.acks_len++];

			ack->endpoint = l->rows[i].endpoint;
			ack->acked = l->rows[i].low - 1;
		}
	args.acks.acks_val = acks;
	l->state = LOAD_STATE_RENEWING;
	l->n_breaks++;
	make_connection(l);
	memset(&l->res, 0, sizeof(l->res));
	l->calling = true;
	rpcclnt_next(l->clnt, 0, on_renewed, l);
	usbip_renew_1(&args, &l->res.renew, rpcclnt_handle(l->clnt));
}

/* ---- habits ------------------------------------------------------------- */

void load_tick(struct load *l)
{
	if (*l->failure || l->calling)
		return;
	if (l->last && l->state == LOAD_STATE_RUNNING)
		l->state = LOAD_STATE_STOPPING;
	if (l->state == LOAD_STATE_OVER && !l->last)
		claim(l);
	if (l->state == LOAD_STATE_STOPPING)
		release(l);
	if (l->state != LOAD_STATE_RUNNING || load_now_us() / 1000 < l->until)
		return;
	if (l->habit == LOAD_HABIT_COME_AND_GO)
		release(l);
	if (l->habit == LOAD_HABIT_BREAK)
		lose_connection(l);
}

void load_stop(struct load *l)
{
	l->last = true;
}

void load_start(struct load *l, struct event_base *base, unsigned int port,
		unsigned int index, enum load_kind kind, enum load_habit habit,
		const char *device)
{
	l->base = base;
	l->port = port;
	l->index = index;
	l->kind = kind;
	l->habit = habit;
	snprintf(l->device, sizeof(l->device), "%s", device);
	claim(l);
}

void load_free(struct load *l)
{
	drop_connection(l);
	for (int i = 0; i < LOAD_ROWS; i++)
		for (int k = 0; k < LOAD_DEPTH_MAX; k++) {
			free(l->rows[i].slots[k].data);
			free(l->rows[i].slots[k].packets);
		}
}

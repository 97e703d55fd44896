// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mock - a target that does what usbip-rpcd does not.
 */
#include "tests/integration/mock.h"

#include <event2/event.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/rpcsrv.h"

/* The dispatcher, which the generated header does not declare. */
void usbip_program_1(struct svc_req *rq, SVCXPRT *xprt);

struct mock mock;

static struct rpcsrv *srv;
static struct event *page, *release;
static struct rpcsrv_call *page_call, *release_call, *events_call;
static char instance[16];

/* Whether the call is to be answered. */
static bool go_on(enum mock_way way, struct svc_req *rq)
{
	if (way == MOCK_CLOSE && mock.n_closing) {
		mock.n_closing--;
		rpcsrv_conn_close(rpcsrv_conn(rq));
		return false;
	}
	if (way == MOCK_REFUSE) {
		svcerr_noproc(rq->rq_xprt);
		return false;
	}
	return way != MOCK_SILENCE;
}

static void set_timer(struct event *ev, unsigned int ms)
{
	const struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	evtimer_add(ev, &tv);
}

static char *text(void)
{
	return (char *)(uintptr_t)mock.text;
}

/* ---- CLAIM, RENEW, RELEASE ------------------------------------------------ */

static void fill_claim(usbip_claim_res *res, usbip_busid *id)
{
	usbip_claim_ok *claim = &res->usbip_claim_res_u.claim;

	res->status = mock.claim_stat;
	if (mock.claim_stat == USBIP_BUSY) {
		res->usbip_claim_res_u.holder.host = text();
	} else if (mock.claim_stat == USBIP_AMBIGUOUS) {
		res->usbip_claim_res_u.candidates.candidates_len = 1;
		res->usbip_claim_res_u.candidates.candidates_val = id;
	} else if (mock.claim_stat == USBIP_OK) {
		claim->session = 1;
		claim->lease = mock.lease;
		claim->window_urbs = 1;
		claim->window_bytes = claim->data_max = 65536;
		claim->busid = text();
		claim->speed = USBIP_SPEED_HIGH;
		if (mock.descriptors)
			memcpy(claim->device, mock.descriptors, 18);
	}
}

bool_t usbip_claim_1_svc(usbip_claim_args *args, usbip_claim_res *res,
			 struct svc_req *rq)
{
	struct rpcsrv_call *call;
	usbip_busid id = text();
	usbip_claim_res answer;

	mock.n_claims++;
	if (memcmp(instance, args->instance, sizeof(instance)))
		mock.n_instances++;
	memcpy(instance, args->instance, sizeof(instance));
	xdr_free((xdrproc_t)xdr_usbip_claim_args, (char *)args);
	memset(args, 0, sizeof(*args));
	memset(res, 0, sizeof(*res));
	memset(&answer, 0, sizeof(answer));
	if (!go_on(mock.claim, rq))
		return FALSE;
	rpcsrv_conn_trust(rpcsrv_conn(rq));
	call = rpcsrv_defer(rq);
	fill_claim(&answer, &id);
	rpcsrv_reply(call, (xdrproc_t)xdr_usbip_claim_res, &answer, NULL, NULL);
	return FALSE;
}

bool_t usbip_renew_1_svc(usbip_renew_args *args, usbip_renew_res *res,
			 struct svc_req *rq)
{
	mock.n_renews++;
	mock.n_acks = args->acks.acks_len;
	mock.acked = mock.n_acks ? args->acks.acks_val[0].acked : 0;
	memset(res, 0, sizeof(*res));
	res->usbip_renew_res_u.lease = mock.lease;
	return go_on(mock.renew, rq);
}

static void release_due(evutil_socket_t fd, short what, void *user)
{
	usbip_stat_res res = { .status = mock.release_stat };

	rpcsrv_reply(release_call, (xdrproc_t)xdr_usbip_stat_res, &res, NULL,
		     NULL);
}

bool_t usbip_release_1_svc(usbip_session_args *args, usbip_stat_res *res,
			   struct svc_req *rq)
{
	mock.n_releases++;
	memset(res, 0, sizeof(*res));
	if (!go_on(mock.release, rq))
		return FALSE;
	release_call = rpcsrv_defer(rq);
	set_timer(release, mock.release_ms);
	return FALSE;
}

bool_t usbip_fetch_1_svc(usbip_fetch_args *args, usbip_fetch_res *res,
			 struct svc_req *rq)
{
	static char piece[USBIP_PIECE_MAX];
	u_int left = args->offset < mock.n_descriptors ?
		     mock.n_descriptors - args->offset : 0;

	mock.n_fetches++;
	memset(res, 0, sizeof(*res));
	if (args->urb.endpoint != 0x80 || args->urb.number) {
		res->status = USBIP_INVAL;
		return TRUE;
	}
	res->usbip_fetch_res_u.piece.piece_len =
		left < args->count ? left : args->count;
	res->usbip_fetch_res_u.piece.piece_val = piece;
	if (left)
		memcpy(piece, mock.descriptors + args->offset,
		       res->usbip_fetch_res_u.piece.piece_len);
	return TRUE;
}

/* ---- EVENTS --------------------------------------------------------------- */

bool_t usbip_events_1_svc(usbip_events_args *args, usbip_events_res *res,
			  struct svc_req *rq)
{
	memset(res, 0, sizeof(*res));
	mock.n_events++;
	res->status = mock.events_stat;
	if (!go_on(mock.events, rq))
		return FALSE;
	if (mock.events_stat || mock.events_early)
		return TRUE;
	events_call = rpcsrv_defer(rq);
	return FALSE;
}

void mock_end_session(usbip_stat why)
{
	usbip_event event = { .type = USBIP_EVENT_SESSION, .why = why };
	usbip_events_res res;

	if (!events_call)
		return;
	event.busid = text();
	memset(&res, 0, sizeof(res));
	res.usbip_events_res_u.events.events.events_len = 1;
	res.usbip_events_res_u.events.events.events_val = &event;
	rpcsrv_reply(events_call, (xdrproc_t)xdr_usbip_events_res, &res, NULL,
		     NULL);
	events_call = NULL;
}

/* ---- LIST ----------------------------------------------------------------- */

static void page_due(evutil_socket_t fd, short what, void *user)
{
	usbip_device device;
	usbip_list_res res;

	memset(&device, 0, sizeof(device));
	memset(&res, 0, sizeof(res));
	device.busid = text();
	device.manufacturer_name = device.product_name = device.serial =
		device.claimed_by = text();
	device.speed = USBIP_SPEED_HIGH;
	device.state = USBIP_STATE_AVAILABLE;
	res.usbip_list_res_u.list.eof = mock.page_eof;
	res.usbip_list_res_u.list.devices.devices_len = 1;
	res.usbip_list_res_u.list.devices.devices_val = &device;
	rpcsrv_reply(page_call, (xdrproc_t)xdr_usbip_list_res, &res, NULL,
		     NULL);
}

bool_t usbip_list_1_svc(usbip_list_args *args, usbip_list_res *res,
			struct svc_req *rq)
{
	memset(res, 0, sizeof(*res));
	mock.n_lists++;
	if (mock.n_delays) {
		mock.n_delays--;
		res->status = USBIP_DELAY;
		return TRUE;
	}
	page_call = rpcsrv_defer(rq);
	set_timer(page, mock.page_ms);
	return FALSE;
}

/* ---- the others ----------------------------------------------------------- */

bool_t usbip_null_1_svc(void *args, void *res, struct svc_req *rq)
{
	return TRUE;
}

/* A device that has nothing to say, and takes all. */
bool_t usbip_control_1_svc(usbip_control_args *args, usbip_transfer_res *res,
			   struct svc_req *rq)
{
	memset(res, 0, sizeof(*res));
	return TRUE;
}

/* Nor has it anything else. */
#define UNAVAILABLE(name, args_type, res_type)				\
	bool_t usbip_##name##_1_svc(args_type *args, res_type *res,	\
				    struct svc_req *rq)			\
	{								\
		memset(res, 0, sizeof(*res));				\
		svcerr_noproc(rq->rq_xprt);				\
		return FALSE;						\
	}

UNAVAILABLE(bulk, usbip_bulk_args, usbip_transfer_res)
UNAVAILABLE(interrupt, usbip_interrupt_args, usbip_transfer_res)
UNAVAILABLE(isoc, usbip_isoc_args, usbip_isoc_res)
UNAVAILABLE(unlink, usbip_urb, usbip_stat_res)
UNAVAILABLE(set_configuration, usbip_set_configuration_args, usbip_state_res)
UNAVAILABLE(set_interface, usbip_set_interface_args, usbip_state_res)
UNAVAILABLE(clear_halt, usbip_clear_halt_args, usbip_state_res)
UNAVAILABLE(reset, usbip_reset_args, usbip_state_res)
UNAVAILABLE(alloc_streams, usbip_streams_args, usbip_state_res)
UNAVAILABLE(free_streams, usbip_streams_args, usbip_state_res)
UNAVAILABLE(suspend, usbip_suspend_args, usbip_state_res)
UNAVAILABLE(resume, usbip_suspend_args, usbip_state_res)
UNAVAILABLE(stage, usbip_stage_args, usbip_stat_res)

/* What is answered at once holds nothing. */
int usbip_program_1_freeresult(SVCXPRT *xprt, xdrproc_t xdr_res, caddr_t res)
{
	return TRUE;
}

/* ---- life ----------------------------------------------------------------- */

static bool needs_proof(rpcproc_t proc)
{
	return proc == USBIP_CLAIM || proc == USBIP_LIST;
}

/* A call that waits for its answer waits no more. */
static void conn_closed(struct rpcsrv_conn *conn, void *user)
{
	if (events_call && rpcsrv_call_conn(events_call) == conn) {
		rpcsrv_drop(events_call);
		events_call = NULL;
	}
}

uint16_t mock_begin(struct event_base *base)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	struct rpcsrv_config config = {
		.base = base,
		.prog = USBIP_PROGRAM,
		.vers_low = USBIP_V1,
		.vers_high = USBIP_V1,
		.dispatch = usbip_program_1,
		.needs_proof = needs_proof,
		.conn_closed = conn_closed,
	};
	socklen_t len = sizeof(addr);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int udp = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	memset(&mock, 0, sizeof(mock));
	memset(instance, 0, sizeof(instance));
	mock.text = "1-1";
	mock.lease = 30;
	events_call = NULL;
	page = evtimer_new(base, page_due, NULL);
	release = evtimer_new(base, release_due, NULL);
	rpcsrv_limits_default(&config.limits, USBIP_RECORD_EXTRA);
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) ||
	    listen(fd, 16) || getsockname(fd, (struct sockaddr *)&addr, &len) ||
	    bind(udp, (struct sockaddr *)&addr, sizeof(addr)) ||
	    !page || !release || rpcsrv_new(&srv, &config) ||
	    rpcsrv_listen(srv, fd) || rpcsrv_listen_dgram(srv, udp))
		abort();
	return ntohs(addr.sin_port);
}

void mock_end(void)
{
	srv = rpcsrv_free(srv);
	event_free(page);
	event_free(release);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * calls - URBs of a port as RPC calls of a session, and the answers back.
 *
 * Results of transfers hold no memory of their own (their data lies in the
 * reply's record), but for the packets of isochronous ones. Calls that have
 * ended are kept in `spare` for the next ones.
 */
#include "client/calls_impl.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "client/pieces.h"
#include "client/rows.h"
#include "client/session.h"
#include "client/status.h"
#include "client/urb.h"
#include "common/log.h"
#include "common/rpcclnt.h"

struct calls *calls_new(struct session *session, struct event_base *base)
{
	struct calls *calls = calloc(1, sizeof(*calls));

	if (!calls)
		return NULL;
	calls->session = session;
	calls->base = base;
	STAILQ_INIT(&calls->spare);
	TAILQ_INIT(&calls->hauling);
	if (calls_init_isoc(calls))
		return calls_free(calls);
	return calls;
}

struct calls *calls_free(struct calls *calls)
{
	struct call *call;

	if (!calls)
		return NULL;
	calls_down(calls);
	if (calls->overdue)
		event_free(calls->overdue);
	while ((call = STAILQ_FIRST(&calls->spare))) {
		STAILQ_REMOVE_HEAD(&calls->spare, link);
		free(call);
	}
	free(calls);
	return NULL;
}

static struct call *take_call(struct calls *calls, struct urb *urb)
{
	struct call *call = STAILQ_FIRST(&calls->spare);

	if (call)
		STAILQ_REMOVE_HEAD(&calls->spare, link);
	else
		call = malloc(sizeof(*call));
	if (!call)
		return NULL;
	memset(call, 0, sizeof(*call));
	call->calls = calls;
	call->urb = urb;
	return call;
}

void calls_give(struct call *call)
{
	if (call->isoc) {
		xdr_free((xdrproc_t)xdr_usbip_isoc_res, (char *)&call->res.isoc);
		TAILQ_REMOVE(&call->calls->isocs, call, busy);
	}
	STAILQ_INSERT_HEAD(&call->calls->spare, call, link);
}

static void *keep_record(void *arg)
{
	return rpcclnt_keep(arg);
}

static usbip_stat read_isoc(const struct call *call, struct port_answer *a)
{
	const usbip_isoc_res *res = &call->res.isoc;
	const usbip_isoc_ok *done = &res->usbip_isoc_res_u.done;

	a->verdict = status_verdict(res->status, &a->status);
	if (res->status != USBIP_OK)
		return res->status;
	a->status = status_errno(done->xfer);
	a->start_frame = done->start_frame;
	a->packets = call->calls->packets;
	a->n_packets = done->packets.packets_len;
	for (uint32_t i = 0; i < a->n_packets; i++) {
		const usbip_packet *p = &done->packets.packets_val[i];

		call->calls->packets[i] = (struct vhci_packet){
			.length = p->actual,
			.status = status_packet_errno(p->xfer),
		};
		a->n_late += p->xfer == USBIP_XFER_LATE;
		a->actual += p->actual;
	}
	/* what does not add up, the port finds */
	if (call->urb->in && done->data.usbip_data_len == a->actual)
		a->data = (const uint8_t *)done->data.usbip_data_val;
	return res->status;
}

/* From the wire's result to the port's. `stat` is out of the result. */
static usbip_stat read_result(const struct call *call, struct port_answer *a)
{
	const usbip_transfer_res *t = &call->res.transfer;
	usbip_stat stat = call->state_call ? call->res.state.status : t->status;
	const usbip_done *done = call->state_call ?
				 &call->res.state.usbip_state_res_u.done :
				 &t->usbip_transfer_res_u.done;
	const usbip_done_data *with = &t->usbip_transfer_res_u.done_data;

	if (call->isoc)
		return read_isoc(call, a);
	a->verdict = status_verdict(stat, &a->status);
	if (stat == USBIP_OK_DATA && !call->state_call) {
		a->status = status_errno(with->xfer);
		a->actual = with->data.usbip_data_len;
		a->data = (const uint8_t *)with->data.usbip_data_val;
	} else if (stat == USBIP_OK) {
		a->status = status_errno(done->xfer);
		/* of state calls it is the streams granted, else 0 */
		if (!call->state_call || call->urb->kind == URB_ALLOC_STREAMS)
			a->actual = done->actual;
	}
	return stat;
}

/*
 * A refused control request is a STALL to its driver: so would the device
 * answer. Streams are not asked of the device, but of a host controller.
 */
static void soften(const struct urb *urb, usbip_stat stat, struct port_answer *a)
{
	if (stat != USBIP_INVAL && stat != USBIP_NOT_SUPPORTED)
		return;
	log_debug(LOG_TAG_URB, "%02x #%u: %s", urb->endpoint, urb->number,
		  status_text(stat));
	if (urb->kind != URB_BULK && urb->kind != URB_INTERRUPT &&
	    urb->kind != URB_ISOC && urb->kind != URB_ALLOC_STREAMS &&
	    urb->kind != URB_FREE_STREAMS)
		a->status = -EPIPE;
}

/* From an answer: the port's, or the data of it is yet to be fetched. */
static void take_answer(struct call *call, usbip_stat stat,
			struct port_answer *a)
{
	struct urb *urb = call->urb;
	int r;

	if (call->in_pieces && urb->in && stat == USBIP_OK && a->actual &&
	    a->actual <= urb->length) {
		r = calls_haul(call, a->actual);
		if (!r)
			return;
		if (r == -ENOTCONN) {	/* it is asked for again */
			calls_give(call);
			return;
		}
		*a = (struct port_answer){ .status = -ENOMEM };
	}
	soften(urb, stat, a);
	port_answered(urb, a);
	/* Not before: what data points to might be written to otherwise. */
	calls_give(call);
}

void calls_take(struct call *call, bool kept)
{
	struct session *session = call->calls->session;
	struct port_answer a = {
		.keep = keep_record,
		.unkeep = rpcclnt_unkeep,
		.keep_arg = session_clnt(session),
	};
	usbip_stat stat;

	/* Without a connection nothing can be kept: copied, then. */
	if (!a.keep_arg || kept)
		a.keep = NULL;
	stat = read_result(call, &a);
	if (!status_ends_session(stat)) {
		take_answer(call, stat, &a);
		return;
	}
	calls_give(call);
	session_end(session, stat);
}

static void read_answer(struct call *call)
{
	struct calls *calls = call->calls;
	bool isoc = call->isoc;

	session_heard(calls->session);
	if (isoc && !calls_in_turn(call))
		return;
	calls_take(call, false);
	if (isoc)
		calls_go_on(calls);
}

static int send_call(struct call *call, struct rpcclnt *clnt);

/* It does not fit any more, and goes in pieces now; or there is no connection,
 * and the port sends it on another. */
static void send_again(struct call *call)
{
	struct rpcclnt *clnt = session_clnt(call->calls->session);

	if (!clnt || send_call(call, clnt))
		calls_give(call);
}

static void answered(const struct rpc_err *err, void *user)
{
	static const struct port_answer broken = { .verdict = PORT_BROKEN };
	struct call *call = user;
	struct calls *calls = call->calls;
	struct urb *urb = call->urb;

	calls_drop_haul(call);
	switch (err->re_status) {
	case RPC_SUCCESS:
		if (urb) {
			read_answer(call);
			return;
		}
		session_heard(calls->session);
		break;		/* was given up */
	case RPC_CANTRECV:
		break;		/* the port sends it again on another connection */
	case RPC_CANTSEND:	/* the way has become narrower */
		send_again(call);
		return;
	case RPC_TIMEDOUT:
		if (urb)
			calls_lose(call);
		calls_give(call);
		calls_go_on(calls);
		return;
	default:
		log_error("the target refuses a call: %s",
			  clnt_sperrno(err->re_status));
		calls_give(call);
		port_answered(urb, &broken);
		return;
	}
	calls_give(call);
}

/* ---- arguments ---------------------------------------------------------- */

static usbip_submit make_submit(const struct calls *calls,
				const struct urb *urb, uint32_t acked)
{
	usbip_submit s = {
		.session = session_handle(calls->session),
		.pipe = urb->endpoint,
		.number = urb->number,
		.acked = acked,
	};

	if (urb->flags & VHCI_SHORT_NOT_OK)
		s.pipe |= USBIP_PIPE_SHORT_NOT_OK;
	if (urb->flags & VHCI_ZERO_PACKET)
		s.pipe |= USBIP_PIPE_ZERO_PACKET;
	if (urb->flags & VHCI_ISO_ASAP)
		s.pipe |= USBIP_PIPE_ISO_ASAP;
	s.pipe |= (u_int)urb->stream << USBIP_PIPE_STREAM_SHIFT;
	return s;
}

static usbip_buffer make_buffer(const struct call *call)
{
	const struct urb *urb = call->urb;
	usbip_buffer b = { .type = USBIP_BUFFER_OUT };

	if (call->in_pieces || urb->in) {
		b.type = !call->in_pieces ? USBIP_BUFFER_IN :
			 urb->in ? USBIP_BUFFER_FETCHED : USBIP_BUFFER_STAGED;
		b.usbip_buffer_u.length = urb->length;
	} else {
		b.usbip_buffer_u.data.usbip_data_len = urb->length;
		b.usbip_buffer_u.data.usbip_data_val =
			(char *)(uintptr_t)urb->data;
	}
	return b;
}

static enum clnt_stat call_control(struct call *call,
					 const usbip_submit *submit,
					 CLIENT *clnt)
{
	usbip_control_args args = {
		.submit = *submit,
		.buffer = make_buffer(call),
	};

	memcpy(args.setup, call->urb->setup, sizeof(args.setup));
	return usbip_control_1(&args, &call->res.transfer, clnt);
}

static enum clnt_stat call_bulk(struct call *call,
					 const usbip_submit *submit,
					 CLIENT *clnt)
{
	usbip_bulk_args args = {
		.submit = *submit,
		.buffer = make_buffer(call),
	};

	return usbip_bulk_1(&args, &call->res.transfer, clnt);
}

static enum clnt_stat call_interrupt(struct call *call,
					 const usbip_submit *submit,
					 CLIENT *clnt)
{
	usbip_interrupt_args args = {
		.submit = *submit,
		.interval = call->urb->interval,
		.buffer = make_buffer(call),
	};

	return usbip_interrupt_1(&args, &call->res.transfer, clnt);
}

static enum clnt_stat call_isoc(struct call *call,
					 const usbip_submit *submit,
					 CLIENT *clnt)
{
	const struct urb *urb = call->urb;
	usbip_isoc_args args = {
		.submit = *submit,
		.interval = urb->interval,
		.start_frame = urb->start_frame,
		.packets = { urb->n_packets, urb->lengths },
		.buffer = make_buffer(call),
	};

	return usbip_isoc_1(&args, &call->res.isoc, clnt);
}

/* The state calls: no data, and pipe is 0. */
static enum clnt_stat call_set_configuration(struct call *call,
					 const usbip_submit *submit,
					 CLIENT *clnt)
{
	usbip_set_configuration_args args = {
		.submit = *submit,
		.configuration = call->urb->value,
	};

	return usbip_set_configuration_1(&args, &call->res.state, clnt);
}

static enum clnt_stat call_set_interface(struct call *call,
					 const usbip_submit *submit,
					 CLIENT *clnt)
{
	usbip_set_interface_args args = {
		.submit = *submit,
		.interface_number = call->urb->index,
		.alternate = call->urb->value,
	};

	return usbip_set_interface_1(&args, &call->res.state, clnt);
}

static enum clnt_stat call_clear_halt(struct call *call,
					 const usbip_submit *submit,
					 CLIENT *clnt)
{
	usbip_clear_halt_args args = {
		.submit = *submit,
		.endpoint = call->urb->index,
	};

	return usbip_clear_halt_1(&args, &call->res.state, clnt);
}

static enum clnt_stat call_reset(struct call *call,
					 const usbip_submit *submit,
					 CLIENT *clnt)
{
	usbip_reset_args args = { .submit = *submit };

	return usbip_reset_1(&args, &call->res.state, clnt);
}

/* The endpoints by their addresses; returns how many. */
static u_int name_endpoints(uint32_t bits, u_int *addresses)
{
	u_int n = 0;

	for (u_int i = 1; i < ROWS_ENDPOINTS; i++)
		if (bits & (1U << i))
			addresses[n++] = i < 16 ? i : (i - 16) | USB_DIR_IN;
	return n;
}

static enum clnt_stat call_alloc_streams(struct call *call,
					 const usbip_submit *submit,
					 CLIENT *clnt)
{
	u_int addresses[ROWS_ENDPOINTS];
	usbip_streams_args args = {
		.submit = *submit,
		.streams = call->urb->value,
		.endpoints = {
			name_endpoints(call->urb->endpoints, addresses),
			addresses,
		},
	};

	return usbip_alloc_streams_1(&args, &call->res.state, clnt);
}

static enum clnt_stat call_free_streams(struct call *call,
					 const usbip_submit *submit,
					 CLIENT *clnt)
{
	u_int addresses[ROWS_ENDPOINTS];
	usbip_streams_args args = {
		.submit = *submit,
		.endpoints = {
			name_endpoints(call->urb->endpoints, addresses),
			addresses,
		},
	};

	return usbip_free_streams_1(&args, &call->res.state, clnt);
}

/* Drivers that need remote wakeup are not suspended: see PROTOCOL, 8. */
static enum clnt_stat call_suspend(struct call *call,
					 const usbip_submit *submit,
					 CLIENT *clnt)
{
	usbip_suspend_args args = { .submit = *submit };

	return usbip_suspend_1(&args, &call->res.state, clnt);
}

static enum clnt_stat call_resume(struct call *call,
					 const usbip_submit *submit,
					 CLIENT *clnt)
{
	usbip_suspend_args args = { .submit = *submit };

	return usbip_resume_1(&args, &call->res.state, clnt);
}

typedef enum clnt_stat (*call_fn)(struct call *call,
				   const usbip_submit *submit, CLIENT *clnt);

/* LOCAL never comes here. */
static const struct {
	call_fn call;
	bool state;
} kinds[] = {
	[URB_CONTROL] = { call_control, false },
	[URB_BULK] = { call_bulk, false },
	[URB_INTERRUPT] = { call_interrupt, false },
	[URB_ISOC] = { call_isoc, false },
	[URB_SET_CONFIGURATION] = { call_set_configuration, true },
	[URB_SET_INTERFACE] = { call_set_interface, true },
	[URB_CLEAR_HALT] = { call_clear_halt, true },
	[URB_RESET] = { call_reset, true },
	[URB_ALLOC_STREAMS] = { call_alloc_streams, true },
	[URB_FREE_STREAMS] = { call_free_streams, true },
	[URB_SUSPEND] = { call_suspend, true },
	[URB_RESUME] = { call_resume, true },
};

static int send_call(struct call *call, struct rpcclnt *clnt)
{
	struct urb *urb = call->urb;
	usbip_submit submit = make_submit(call->calls, urb, call->acked);
	bool once = call->isoc && rpcclnt_is_dgram(clnt);

	if (call->state_call)
		submit.pipe = 0;
	else if (!call->isoc)
		call->in_pieces = !pieces_needless(urb, rpcclnt_room(clnt));
	/* Without a time-out: a device may take as long as it likes. That the
	 * target is there at all is what RENEW finds out. */
	rpcclnt_next(clnt, once ? urb->patience_ms : 0, answered, call);
	if (once)
		rpcclnt_how(clnt, RPCCLNT_ONCE);
	switch (kinds[urb->kind].call(call, &submit, rpcclnt_handle(clnt))) {
	case RPC_SUCCESS:
		if (call->in_pieces && !urb->in)
			calls_stage(call);
		return 0;
	case RPC_CANTSEND:
		return -ENOTCONN;
	default:
		return -EIO;
	}
}

int calls_submit(struct calls *calls, struct urb *urb, uint32_t acked)
{
	struct rpcclnt *clnt = session_clnt(calls->session);
	struct call *call;
	int r;

	if (!clnt)
		return -ENOTCONN;
	call = take_call(calls, urb);
	if (!call)
		return -ENOMEM;
	call->acked = acked;
	call->state_call = kinds[urb->kind].state;
	call->isoc = urb->kind == URB_ISOC;
	if (call->isoc)
		TAILQ_INSERT_TAIL(&calls->isocs, call, busy);
	r = send_call(call, clnt);
	if (r)
		calls_give(call);
	return r;
}

static void unlinked(const struct rpc_err *err, void *user)
{
	struct call *call = user;
	struct session *session = call->calls->session;
	usbip_stat stat = call->res.stat.status;

	/* What it did is told by the answer of the submit. */
	if (err->re_status == RPC_SUCCESS) {
		if (status_ends_session(stat))
			session_end(session, stat);
		else
			port_unlinked(call->port, &call->unlinks,
				      stat == USBIP_OK);
	}
	calls_give(call);
}

void calls_unlink(struct calls *calls, struct urb *urb)
{
	const struct port_number of = {
		urb->endpoint, urb->stream, urb->number,
	};
	struct rpcclnt *clnt = session_clnt(calls->session);
	usbip_urb args = {
		.session = session_handle(calls->session),
		.endpoint = urb->endpoint |
			    (u_int)urb->stream << USBIP_PIPE_STREAM_SHIFT,
		.number = urb->number,
	};
	struct call *call;

	if (!clnt)
		return;
	call = take_call(calls, NULL);
	if (!call) {
		log_warning("out of memory: an URB is not cancelled yet");
		port_unlinked(urb->port, &of, false);
		return;
	}
	call->port = urb->port;
	call->unlinks = of;
	rpcclnt_next(clnt, 0, unlinked, call);
	rpcclnt_how(clnt, RPCCLNT_PROMPT);
	/* If it can not be sent, the port sends it again on the next one. */
	if (usbip_unlink_1(&args, &call->res.stat, rpcclnt_handle(clnt)))
		calls_give(call);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * proc_urb - CONTROL, BULK, INTERRUPT, ISOC and UNLINK. What a caller may ask for
 * is decided in here, once; behind it lengths and directions are right. Which
 * endpoints and streams there are is decided when the URB's turn comes.
 */
#include "server/proc.h"

#include <string.h>

#include "server/status.h"
#include "server/urb.h"

static void unref_urb(void *urb)
{
	urb_unref(urb);
}

/* CONTROL, BULK, INTERRUPT and the calls of proc_state.c */
static void transfer_ended(struct rpcsrv_call *call, struct urb *urb)
{
	bool data = urb->type <= URB_TYPE_INTERRUPT && urb_is_in(urb) &&
		    urb->actual && urb->verdict == URB_VERDICT_TAKEN &&
		    !urb->fetched;
	usbip_transfer_res res;

	memset(&res, 0, sizeof(res));
	res.status = status_of_verdict(urb->verdict);
	/* it did not come back as what it was, and that ended the session */
	if (urb->type == URB_TYPE_RESET && urb->xfer == URB_XFER_SHUTDOWN)
		res.status = USBIP_GONE;
	if (data) {
		usbip_done_data *done = &res.usbip_transfer_res_u.done_data;

		res.status = USBIP_OK_DATA;
		done->xfer = status_of_xfer(urb->xfer);
		done->data.usbip_data_len = urb->actual;
		done->data.usbip_data_val = (char *)urb_data(urb);
	} else {
		res.usbip_transfer_res_u.done.xfer = status_of_xfer(urb->xfer);
		res.usbip_transfer_res_u.done.actual = urb->actual;
	}
	/* usbip_state_res is the same but for OK_DATA */
	rpcsrv_reply(call, (xdrproc_t)xdr_usbip_transfer_res, &res, unref_urb,
		     urb_ref(urb));
}

static void isoc_ended(struct rpcsrv_call *call, struct urb *urb)
{
	/* encoded before this returns, in the only thread */
	static usbip_packet packets[USBIP_PACKETS_MAX];
	usbip_isoc_res res;
	usbip_isoc_ok *done = &res.usbip_isoc_res_u.done;

	memset(&res, 0, sizeof(res));
	res.status = status_of_verdict(urb->verdict);
	done->xfer = status_of_xfer(urb->xfer);
	done->start_frame = urb->start_frame;
	done->packets.packets_len = urb->n_packets;
	done->packets.packets_val = packets;
	for (unsigned int i = 0; i < urb->n_packets; i++)
		packets[i] = (usbip_packet){
			.xfer = status_of_xfer(urb->packets[i].xfer),
			.actual = urb->packets[i].actual,
		};
	if (urb_is_in(urb)) {
		done->data.usbip_data_len = urb->actual;
		done->data.usbip_data_val = (char *)urb_data(urb);
	}
	rpcsrv_reply(call, (xdrproc_t)xdr_usbip_isoc_res, &res, unref_urb,
		     urb_ref(urb));
}

void proc_urb_ended(void *call, struct urb *urb)
{
	if (urb->type == URB_TYPE_ISOC)
		isoc_ended(call, urb);
	else
		transfer_ended(call, urb);
}

void proc_submit(struct svc_req *rq, struct session *s,
		 const usbip_submit *submit, int row, struct urb *urb)
{
	struct rpcsrv_call *call = rpcsrv_defer(rq);
	enum endpoint_taken taken;

	if (!urb) {
		proc_reply_stat(call, USBIP_DELAY);
		return;
	}
	urb->number = submit->number;
	urb->waiter = call;
	taken = session_submit(s, row, urb, submit->acked);
	if (taken != ENDPOINT_TAKEN)
		proc_reply_stat(call, status_of_taken(taken));
}

/* More than what comes in front of the data in a reply. */
#define REPLY_EXTRA 64

/* By datagram, does the reply bring all that this may have to say? */
static bool has_reply(struct svc_req *rq, const struct urb *urb)
{
	size_t extra = REPLY_EXTRA + urb->n_packets * sizeof(usbip_packet);
	size_t data = urb_is_in(urb) && !urb->fetched ? urb->length : 0;

	return !rpcsrv_conn_is_dgram(rpcsrv_conn(rq)) ||
	       data <= RPCSRV_DGRAM_MAX - extra;
}

/* Isochronous data is worth nothing by the time that its pieces are there. */
static bool may_be_pieces(const struct urb *urb)
{
	return urb->type != URB_TYPE_ISOC && urb->length <= USBIP_DATA_MAX;
}

/* Where the data is, how long, which way. false: it makes no sense. */
static bool take_buffer(struct urb *urb, const usbip_buffer *buffer)
{
	switch (buffer->type) {
	case USBIP_BUFFER_OUT:
		urb->length = buffer->usbip_buffer_u.data.usbip_data_len;
		urb->out = (const uint8_t *)
			buffer->usbip_buffer_u.data.usbip_data_val;
		return !urb_is_in(urb);
	case USBIP_BUFFER_IN:
		urb->length = buffer->usbip_buffer_u.length;
		return urb_is_in(urb) && urb->length <= USBIP_DATA_MAX;
	case USBIP_BUFFER_STAGED:
		urb->length = buffer->usbip_buffer_u.length;
		urb->staged = true;
		return !urb_is_in(urb) && may_be_pieces(urb);
	case USBIP_BUFFER_FETCHED:
		urb->length = buffer->usbip_buffer_u.length;
		urb->fetched = true;
		return urb_is_in(urb) && may_be_pieces(urb);
	}
	return false;
}

static bool has_known_flags(uint32_t pipe)
{
	const uint32_t known = USBIP_PIPE_ADDRESS | USBIP_PIPE_SHORT_NOT_OK |
			       USBIP_PIPE_ZERO_PACKET;

	return !(pipe & ~known);
}

static bool has_known_isoc_flags(uint32_t pipe)
{
	return !(pipe & ~(USBIP_PIPE_ADDRESS | USBIP_PIPE_ISO_ASAP));
}

static struct urb *new_urb(struct svc_req *rq, enum urb_type type,
			   const usbip_submit *submit, uint8_t address)
{
	struct urb *urb = urb_new_in(&proc_target(rq)->urbs);

	if (!urb)
		return NULL;
	urb->type = type;
	urb->address = address;
	urb->short_not_ok = urb_is_in(urb) &&
			    submit->pipe & USBIP_PIPE_SHORT_NOT_OK;
	urb->zero_packet = !urb_is_in(urb) &&
			   submit->pipe & USBIP_PIPE_ZERO_PACKET;
	return urb;
}

/* ---- CONTROL ------------------------------------------------------------ */

/* Requests that change what the target's system knows (usbip_control_args). */
static bool is_state_request(const uint8_t *setup)
{
	switch (setup[0] << 8 | setup[1]) {
	case 0x0005:			/* SET_ADDRESS */
	case 0x0009:			/* SET_CONFIGURATION */
	case 0x010b:			/* SET_INTERFACE */
		return true;
	case 0x0201:			/* CLEAR_FEATURE(ENDPOINT_HALT) */
		return !setup[2] && !setup[3] && (setup[4] & 0x0f);
	default:
		return false;
	}
}

static struct urb *control_urb(struct svc_req *rq,
			       const usbip_control_args *args)
{
	const uint8_t *setup = (const uint8_t *)args->setup;
	uint32_t length = setup[6] | setup[7] << 8;
	const usbip_buffer *buffer = &args->buffer;
	struct urb *urb;
	bool in = setup[0] & 0x80;

	if (!length)	/* whichever way, nothing goes */
		in = buffer->type == USBIP_BUFFER_IN ||
		     buffer->type == USBIP_BUFFER_FETCHED;
	urb = new_urb(rq, URB_TYPE_CONTROL, &args->submit, in ? 0x80 : 0);
	if (!urb)
		return NULL;
	memcpy(urb->setup, setup, sizeof(urb->setup));
	if (!has_known_flags(args->submit.pipe) || is_state_request(setup) ||
	    !take_buffer(urb, buffer) || urb->length != length ||
	    !has_reply(rq, urb))
		urb_refuse(urb);
	return urb;
}

bool_t usbip_control_1_svc(usbip_control_args *args, usbip_transfer_res *res,
			   struct svc_req *rq)
{
	struct session *s;

	memset(res, 0, sizeof(*res));
	s = proc_session(rq, args->submit.session, &res->status);
	if (!s)
		return TRUE;
	if (args->submit.pipe & USBIP_PIPE_ADDRESS) {
		res->status = USBIP_INVAL;
		return TRUE;
	}
	proc_submit(rq, s, &args->submit, 0, control_urb(rq, args));
	return FALSE;
}

/* ---- BULK, INTERRUPT ---------------------------------------------------- */

static bool_t submit_data(struct svc_req *rq, enum urb_type type,
			  const usbip_submit *submit,
			  const usbip_buffer *buffer, usbip_transfer_res *res)
{
	unsigned int stream = submit->pipe >> USBIP_PIPE_STREAM_SHIFT;
	uint8_t address = submit->pipe & USBIP_PIPE_ADDRESS;
	int row = endpoint_row(address);
	struct session *s;
	struct urb *urb;

	memset(res, 0, sizeof(*res));
	s = proc_session(rq, submit->session, &res->status);
	if (!s)
		return TRUE;
	if (row <= 0) {
		res->status = USBIP_INVAL;
		return TRUE;
	}
	urb = new_urb(rq, type, submit, address);
	if (urb && type == URB_TYPE_BULK) {
		urb->stream = stream;
		stream = 0;
	}
	if (urb && (stream || !has_known_flags(submit->pipe & 0xffff) ||
		    !take_buffer(urb, buffer) || !has_reply(rq, urb)))
		urb_refuse(urb);
	proc_submit(rq, s, submit, row, urb);
	return FALSE;
}

bool_t usbip_bulk_1_svc(usbip_bulk_args *args, usbip_transfer_res *res,
			struct svc_req *rq)
{
	return submit_data(rq, URB_TYPE_BULK, &args->submit, &args->buffer,
			   res);
}

bool_t usbip_interrupt_1_svc(usbip_interrupt_args *args,
			     usbip_transfer_res *res, struct svc_req *rq)
{
	/* the interval is the endpoint descriptor's: usbfs takes no other */
	return submit_data(rq, URB_TYPE_INTERRUPT, &args->submit,
			   &args->buffer, res);
}

/* ---- ISOC --------------------------------------------------------------- */

/* Are the packets the data, no more and no less? */
static bool makes_up(const struct urb *urb)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < urb->n_packets; i++)
		sum += urb->packets[i].length;
	return urb->n_packets && sum == urb->length;
}

static struct urb *isoc_urb(struct svc_req *rq, const usbip_isoc_args *args)
{
	uint8_t address = args->submit.pipe & USBIP_PIPE_ADDRESS;
	struct urb *urb = new_urb(rq, URB_TYPE_ISOC, &args->submit, address);

	if (!urb)
		return NULL;
	if (args->packets.packets_len &&
	    urb_set_packets(urb, args->packets.packets_val,
			    args->packets.packets_len))
		return urb_unref(urb);
	if (!has_known_isoc_flags(args->submit.pipe) ||
	    !take_buffer(urb, &args->buffer) || !makes_up(urb) ||
	    !has_reply(rq, urb))
		urb_refuse(urb);
	return urb;
}

/*
 * Neither the interval nor start_frame can be told to usbfs: it takes the
 * descriptor's, and as soon as possible.
 */
bool_t usbip_isoc_1_svc(usbip_isoc_args *args, usbip_isoc_res *res,
			struct svc_req *rq)
{
	int row = endpoint_row(args->submit.pipe & USBIP_PIPE_ADDRESS);
	usbip_submit submit = args->submit;
	struct session *s;
	struct urb *urb;

	memset(res, 0, sizeof(*res));
	s = proc_session(rq, submit.session, &res->status);
	if (!s)
		return TRUE;
	if (row <= 0) {
		res->status = USBIP_INVAL;
		return TRUE;
	}
	urb = isoc_urb(rq, args);
	/* its packets; not its data, which stays in the record */
	xdr_free((xdrproc_t)xdr_usbip_isoc_args, (char *)args);
	proc_submit(rq, s, &submit, row, urb);
	return FALSE;
}

/* ---- UNLINK ------------------------------------------------------------- */

bool_t usbip_unlink_1_svc(usbip_urb *args, usbip_stat_res *res,
			  struct svc_req *rq)
{
	int row = endpoint_row(args->endpoint & 0xffff);
	unsigned int stream = args->endpoint >> USBIP_PIPE_STREAM_SHIFT;
	struct session *s;

	s = proc_session(rq, args->session, &res->status);
	if (!s)
		return TRUE;
	res->status = row < 0 ? USBIP_INVAL :
		status_of_taken(session_unlink(s, row, stream, args->number));
	return TRUE;
}
